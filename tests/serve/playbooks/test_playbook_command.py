"""`segue playbook`: a playbook comes into a workspace under the shop's own names, or not at all, and says why."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner, Result

from actors.catalog_files import config_files
from engine.errors import CatalogError, UsageError
from serve.cli import app
from serve.playbooks import adding, library, mapping

EVERY = library.names()
# Each event and each property of each playbook under a name of somebody's own.
STRANGE = {name: library.find(name).playbook.events for name in EVERY}


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture
def blank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return workspace(tmp_path, monkeypatch, "blank")


def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: str) -> Path:
    assert run("init", tmp_path / "mine", "--template", template).exit_code == 0
    monkeypatch.chdir(tmp_path / "mine")
    return tmp_path / "mine" / "configs"


def texts(directory: Path) -> dict[str, str]:
    return {str(path.relative_to(directory)): path.read_text("utf-8") for path in directory.rglob("*.*")}


def comments(text: str) -> list[str]:
    return re.findall(r"(?:^|\s)#.*", text)


def strange_maps(name: str) -> list[str]:
    """Another name for everything, with paths through objects and names that are no words of Jinja."""
    maps = []
    for event, planned in STRANGE[name].items():
        maps.append(f"{event}={event.lower().replace(' ', '_')}_x")
        maps += [
            f"{event}.{path}=data.{path} of ours"
            if "." not in path
            else f"{event}.{path}=data.{home(path)} of ours.{leaf(path)}"
            for path in planned.paths()
        ]
    return maps


def home(path: str) -> str:
    return path.rpartition(".")[0]


def leaf(path: str) -> str:
    return path.rpartition(".")[2] + "_y"


# -- list and show


def test_the_list_has_the_six_and_show_says_what_each_needs():
    listed = run("playbook", "list").stdout
    assert (
        sorted(
            [
                "abandoned_browse",
                "abandoned_cart",
                "browse_to_app",
                "financial_onboarding",
                "post_purchase",
                "travel_booking",
            ]
        )
        == EVERY
    )
    for name in EVERY:
        shown = run("playbook", "show", name).stdout
        assert name in listed
        for event in library.find(name).playbook.events:
            assert event in shown
        assert "Measured by: " in shown and "Holdout: " in shown


@pytest.mark.parametrize("name", EVERY)
def test_each_is_a_catalog_that_holds_and_whose_manifest_names_all_that_it_reads(name: str):
    found = library.find(name)
    config_files.load(found.configs)
    adding.renamed(found, mapping.Names())
    rules = YAML(typ="safe").load(found.configs / "policies.yaml")["holdouts"]
    assert found.playbook.holdout.id in [rule["id"] for rule in rules]
    journeys = [YAML(typ="safe").load(path) for path in (found.configs / "journeys").iterdir()]
    assert any(journey.get("outcome") for journey in journeys), "what is it measured by?"


def test_an_unknown_playbook_is_refused_with_the_one_that_was_meant():
    with pytest.raises(UsageError, match="did you mean abandoned_cart"):
        library.find("abandond_cart")


# -- add


@pytest.mark.parametrize("name", EVERY)
def test_it_comes_into_a_workspace_whose_comments_and_rules_stay(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    configs = workspace(tmp_path, monkeypatch, "shop")
    before = texts(configs)
    done = run("playbook", "add", name)
    assert done.exit_code == 0, done.output
    after = texts(configs)
    for file, text in before.items():
        assert set(comments(text)) <= set(comments(after[file])), file
    caps = {cap["id"] for cap in YAML(typ="safe").load(before["policies.yaml"])["caps"]}
    assert caps < {cap["id"] for cap in YAML(typ="safe").load(after["policies.yaml"])["caps"]}
    config_files.load(configs)
    assert run("playbook", "add", name).stdout == f"{name} is there already\n"
    assert texts(configs) == after


def test_all_six_live_in_one_workspace(blank: Path):
    for name in EVERY:
        assert run("playbook", "add", name).exit_code == 0
    catalog = config_files.load(blank)
    assert {"cart_rescue", "browse_rescue", "to_app", "onboarding", "post_purchase_care", "trip_price_drop"} <= set(
        catalog.journeys
    )
    assert [stop.id for stop in catalog.stops].count("purchase") == 1


def test_a_dry_run_says_what_would_change_and_changes_nothing(blank: Path):
    before = texts(blank)
    done = run("playbook", "add", "abandoned_cart", "--dry-run")
    assert "would change  journeys/cart_rescue.yaml" in done.stdout
    assert texts(blank) == before


# -- the shop's own names


def test_an_event_and_a_path_are_mapped_in_every_file(blank: Path):
    maps = ["Order Completed=purchase_done", "Product Added=cart add", "Product Added.name=item.title"]
    maps += ["Product Added.cart_id=cart.id", "Cart Cleared.cart_id=cart.id"]
    done = run("playbook", "add", "abandoned_cart", *(word for each in maps for word in ("--map", each)))
    assert done.exit_code == 0, done.output
    written = texts(blank)
    journey = YAML(typ="safe").load(written["journeys/cart_rescue.yaml"])
    assert journey["trigger"]["event"] == "cart add" and journey["key"] == "cart.id"
    assert journey["steps"][0]["wait"]["reset_on"] == ["cart add"]
    assert journey["outcome"]["event"] == "purchase_done"
    assert "event.item.title | default" in written["actions/cart_rescue.yaml"]
    assert "event.item.title | default" in written["templates/cart_rescue.html"]
    segment = YAML(typ="safe").load(written["segments.yaml"])["segments"]["high_value_cart"]
    assert segment["event"]["name"] == "cart add"
    plan = YAML(typ="safe").load(written["tracking_plan.yaml"])["events"]
    assert plan["cart add"]["schema"]["properties"]["cart"]["required"] == ["id"]
    assert "Product Added" not in "".join(text for file, text in written.items() if file != "policies.yaml")
    assert "# one run per cart, not one per customer" in written["journeys/cart_rescue.yaml"]


def test_a_stop_of_the_playbook_holds_beside_another_one_of_its_name(blank: Path):
    done = run("playbook", "add", "abandoned_cart", "--map", "Order Completed=purchase_done")
    stops = YAML(typ="safe").load(blank / "policies.yaml")["stops"]
    assert [(stop["id"], stop["on"]) for stop in stops] == [
        ("purchase", "Order Completed"),
        ("abandoned_cart_purchase", "purchase_done"),
    ]
    assert "note: policies.yaml: stops: abandoned_cart_purchase: named so" in done.output


@pytest.mark.parametrize("name", EVERY)
def test_with_every_name_changed_it_does_what_it_did(name: str, blank: Path, tmp_path: Path):
    """The same customers under other names: the same messages at the same times."""
    maps = [word for each in strange_maps(name) for word in ("--map", each)]
    sends = []
    for folder, words in (("plain", []), ("strange", maps)):
        configs = tmp_path / folder
        shutil.copytree(blank, configs)
        done = run("playbook", "add", name, "--config", configs, *words)
        assert done.exit_code == 0, done.output
        history = tmp_path / f"{folder}.jsonl"
        assert run("playbook", "history", name, "--customers", "25", "--out", history, *words).exit_code == 0
        out = tmp_path / f"{folder}.out"
        simulated = run(
            "simulate", "--events", history, "--config", configs, "--out", out, "--render", "--processes", "1"
        )
        assert simulated.exit_code == 0 and "were not taken" not in simulated.output, simulated.output
        lines = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
        sends.append([_what(line) for line in lines if line["kind"] in ("send", "held", "withdrawn")])
    assert sends[0] and sends[0] == sends[1]


def _what(line: dict[str, Any]) -> tuple[Any, ...]:
    text = {key: line[key] for key in ("subject", "text", "html", "title", "body") if key in line}
    reason = (line.get("reason") or "").replace("_purchase", "").replace(f"stop.{line.get('journey')}", "stop")
    return (
        line["at"],
        line["profileId"],
        line["kind"],
        line["journey"],
        line["action"],
        line["channel"],
        reason[:4],
        str(text),
    )


SLIPS = [
    ("Order Completd=x", "the playbook has no event 'Order Completd'; did you mean Order Completed?"),
    (
        "Order Completed.orderid=x",
        "the playbook reads no property 'orderid' of 'Order Completed'; did you mean order_id?",
    ),
    ("Order Completed", "is no mapping"),
    ("Order Completed=", "is no mapping"),
    ("Order Completed=segue:x", "names that begin with segue: are the engine's own"),
    ("Order Completed.order_id=a..b", "is no path"),
    ("Order Completed=Product Added", "'Product Added' and 'Order Completed' cannot both be 'Product Added'"),
    ("Product Added.name=value", "'name' and 'value' of 'Product Added' cannot both be 'value'"),
]


@pytest.mark.parametrize("option, message", SLIPS)
def test_a_mapping_that_cannot_be_is_refused(option: str, message: str):
    with pytest.raises(UsageError) as refused:
        mapping.parse([option], adding.events_of(library.find("abandoned_cart")))
    assert message in str(refused.value)


def add(name: str, configs: Path, *maps: str) -> adding.Change:
    found = library.find(name)
    return adding.plan(found, mapping.parse(maps, adding.events_of(found)), configs)


def refusals(name: str, configs: Path, *maps: str) -> tuple[str, ...]:
    before = texts(configs)
    with pytest.raises(CatalogError) as refused:
        add(name, configs, *maps)
    assert texts(configs) == before, "nothing was written"
    return refused.value.problems


def test_an_event_that_the_shops_plan_does_not_know_is_refused_where_it_stands(blank: Path):
    plan = "unknown: quarantine\nevents:\n  cart_product_added: {}\n  order_completed: {}\n  Consent Updated: {}\n"
    (blank / "tracking_plan.yaml").write_text(plan, "utf-8")
    problems = refusals("abandoned_cart", blank, "Product Added=cart_product_added")
    assert (
        "journeys/cart_rescue.yaml:10: outcome.event: 'Order Completed' is no event in this workspace's tracking plan: "
        'say what it is called there: --map "Order Completed=order_completed"'
    ) in problems
    assert any(each.startswith("policies.yaml:8: stops[1].on: 'Order Completed'") for each in problems)
    assert not any("Product Added" in each for each in problems)
    maps = ["Product Added=cart_product_added", "Order Completed=order_completed", "Cart Cleared=Cart Cleared"]
    assert "journeys/cart_rescue.yaml" in add("abandoned_cart", blank, *maps).files


def test_a_mapping_to_a_name_that_the_shops_plan_does_not_know_is_refused_too(blank: Path):
    schema = "{additionalProperties: false, properties: {cartId: {}, value: {}}}"
    known = ("purchase_done", "Cart Cleared", "Consent Updated")
    plan = "".join(f"  {name}: {{}}\n" for name in known) + f"  Product Added: {{schema: {schema}}}\n"
    plan = f"unknown: quarantine\nevents:\n{plan}"
    (blank / "tracking_plan.yaml").write_text(plan, "utf-8")
    maps = ["Order Completed=purchase_dne", "Product Added.cart_id=cartIdd", "Cart Cleared.cart_id=cartIdd"]
    problems = refusals("abandoned_cart", blank, *maps)
    assert any('--map "Order Completed=purchase_done"' in each for each in problems)
    assert any('--map "Product Added.cart_id=cartId"' in each for each in problems)


def test_a_property_that_the_shops_plan_forbids_is_refused_where_it_stands(blank: Path):
    schema = "{additionalProperties: false, properties: {cartId: {}, value: {}}}"
    (blank / "tracking_plan.yaml").write_text(f"events: {{Product Added: {{schema: {schema}}}}}\n", "utf-8")
    (problem,) = refusals("abandoned_cart", blank)
    assert problem == (
        "journeys/cart_rescue.yaml:5: key: 'cart_id' is no property of 'Product Added' in this workspace's tracking "
        'plan: say what it is called there: --map "Product Added.cart_id=cartId"'
    )


def test_a_key_has_one_path_in_all_events_that_carry_it(blank: Path):
    (problem,) = refusals("abandoned_cart", blank, "Product Added.cart_id=cart.id")
    assert problem.startswith("journeys/cart_rescue.yaml:5: key: is 'cart.id' in 'Product Added' and 'cart_id' in ")
    assert '--map "Cart Cleared.cart_id=cart.id"' in problem


def test_a_property_that_two_triggers_name_differently_is_refused_where_it_is_read(blank: Path):
    (problem,) = refusals("travel_booking", blank, "Price Dropped.price=new_price")
    assert problem.startswith("templates/trip_itinerary.html:")
    assert "event.price is read of Booking Started and of Price Dropped" in problem


def test_a_file_of_its_name_that_says_something_else_is_not_overwritten(blank: Path):
    (blank / "journeys/cart_rescue.yaml").write_text("id: cart_rescue\n", "utf-8")
    assert refusals("abandoned_cart", blank) == (
        "journeys/cart_rescue.yaml:1: file: is there already and says something else: rename yours, or remove it",
    )


def test_a_catalog_that_would_not_hold_is_refused_whole(blank: Path):
    (blank / "consent.yaml").write_text("purposes: {marketing: {default: maybe}}\n", "utf-8")
    assert any("consent.yaml" in each for each in refusals("abandoned_cart", blank))


def test_a_playbook_of_ones_own_is_refused_for_an_event_that_it_does_not_name(blank: Path, tmp_path: Path):
    own = shutil.copytree(library.find("abandoned_cart").folder, tmp_path / "own")
    journey = own / "configs/journeys/cart_rescue.yaml"
    journey.write_text(journey.read_text("utf-8").replace("on: Cart Cleared", "on: Cart Emptied"), "utf-8")
    assert refusals(str(own), blank) == (
        "journeys/cart_rescue.yaml:8: stops[1].on: 'Cart Emptied' is none of the events in playbook.yaml",
    )


def test_without_a_workspace_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="segue init"):
        run("playbook", "add", "abandoned_cart")
    assert list(tmp_path.iterdir()) == []


# -- histories


@pytest.mark.parametrize("name", EVERY)
def test_a_history_is_the_same_for_the_same_seed_and_shows_sends_stops_holdout_and_outcome(name: str, tmp_path: Path):
    made = run("playbook", "history", name, "--customers", "120").stdout
    assert made == run("playbook", "history", name, "--customers", "120").stdout
    assert made != run("playbook", "history", name, "--customers", "120", "--seed", "2").stdout
    file = tmp_path / "events.jsonl"
    out = tmp_path / "out.jsonl"
    file.write_text(made, "utf-8")
    found = library.find(name)
    done = run(
        "simulate", "--events", file, "--config", found.configs, "--processes", "1", "--json", "--silence", "--out", out
    )
    assert "were not taken" not in done.output
    summary = json.loads(done.stdout)
    assert summary["stops"] > 0
    assert f"holdout.{found.playbook.holdout.id}" in summary["silence"]
    sent = [line for line in map(json.loads, out.read_text("utf-8").splitlines()) if line["kind"] == "send"]
    hours = {int(line["at"][11:13]) for line in sent if line["channel"] != "in_app"}
    assert hours and hours <= set(range(6, 21)), "it is quiet at night, in UTC and in Berlin"
    assert any(funnel.get("converted") for funnel in summary["funnels"].values()), summary


def test_the_histories_of_two_playbooks_have_no_line_in_common():
    told = [run("playbook", "history", name, "--customers", "3").stdout for name in library.names()]
    messages = [json.loads(line)["messageId"] for history in told for line in history.splitlines()]
    assert len(messages) == len(set(messages))


def test_of_a_playbook_of_ones_own_there_is_no_history(tmp_path: Path):
    own = shutil.copytree(library.find("abandoned_cart").folder, tmp_path / "own")
    manifest = own / "playbook.yaml"
    manifest.write_text(manifest.read_text("utf-8").replace("id: abandoned_cart", "id: own"), "utf-8")
    with pytest.raises(UsageError, match="has no history"):
        run("playbook", "history", str(own))
