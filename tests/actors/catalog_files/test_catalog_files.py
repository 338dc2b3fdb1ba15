"""`configs/` from disk: every problem at its line, and the shipped catalog in order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer

from actors.catalog_files import config_files
from engine.catalog.compile import compile_document
from engine.errors import CatalogError
from engine.texts.language import TemplateLanguage
from serve.commands.validate import schema_texts, validate

SHIPPED = Path(__file__).parents[3] / "configs"

CHANNELS = """\
channels:
  - {id: web, provider: none}
  - id: email
    provider: smtp
    address: email
    host: 127.0.0.1
    sender: shop@shop.example
"""
CONSENT = "purposes:\n  marketing: {channels: [email]}\n"
OFFER = """\
id: offer
tier: promotional
purpose: marketing
channels: [email]
valid: {from: 2026-03-01}
eligible:
  all:
    - trait: {name: country, in: [DE, NO]}
    - event: {name: Product Viewed, within: 7d}
variants:
  - id: a
    email: {subject: Hello, template: offer.html}
"""


def _write(directory: Path, **files: str) -> Path:
    """A small catalog that is in order, with the files of `files` in place of its own (`a__b_yaml` is `a/b.yaml`)."""
    named = {name.replace("__", "/").replace("_", "."): text for name, text in files.items()}
    whole = {"channels.yaml": CHANNELS, "consent.yaml": CONSENT, "actions/offer.yaml": OFFER}
    for name, text in (whole | {"templates/offer.html": "<p>Hello</p>"} | named).items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return directory


def _problems(directory: Path) -> list[str]:
    with pytest.raises(CatalogError) as refused:
        config_files.load(directory)
    return list(refused.value.problems)


def test_a_directory_and_its_plain_data_give_the_same_catalog(tmp_path: Path) -> None:
    catalog = config_files.load(_write(tmp_path))
    assert catalog.version == compile_document(config_files.read(tmp_path).data).version
    assert catalog.actions["offer"].valid_from_ms == 1_772_323_200_000
    assert catalog.templates == {"offer.html": "<p>Hello</p>"}


def test_data_is_plain_whatever_the_yaml_looked_like(tmp_path: Path) -> None:
    text = "default: &d {a: 0x10, b: 1.50, c: &t true, d: 'x', e: 2026-03-01, f: ~, g: *t}\nother:\n  <<: *d\n  a: 2\n"
    data = config_files.read(_write(tmp_path, sources_yaml=text)).data["sources.yaml"]
    plain: dict[str, Any] = {"a": 16, "b": 1.5, "c": True, "d": "x", "e": "2026-03-01", "f": None, "g": True}
    assert data == {"default": plain, "other": plain | {"a": 2}}
    assert {type(value) for value in data["default"].values()} == {int, float, bool, str, type(None)}


BAD = [
    # text that is no YAML, or no catalog's
    ("policies_yaml", "caps:\n  - {id: a\n", "policies.yaml:2: yaml: a { is opened here and closed nowhere"),
    ("policies_yaml", "caps: []\ncaps: []\n",
     "policies.yaml:2: yaml: caps stands here a second time: only one can hold"),
    ("policies_yaml", "a: 1\n\tb: 2\n", "policies.yaml:2: yaml: begins with a tab: indent with spaces"),
    ("policies_yaml", "caps: []\n---\ncaps: []\n",
     "policies.yaml:2: yaml: --- begins another file: each action and each journey has a file of its own"),
    ("policies_yaml", "caps:\n  - limit: .nan\n", "policies.yaml:2: caps[1].limit: is a number out of bounds"),
    ("policies_yaml", "workspace:\n  1: x\n", "policies.yaml:2: workspace: the key 1 is no text: put it in quotes"),
    ("policies_yaml", "# " + "x" * 1_000_000, "policies.yaml:1: file: is larger than 1 MB"),
    ("polices_yaml", "caps: []\n",
     "polices.yaml:1: file: no such file belongs to a catalog, did you mean policies.yaml?"),
    ("actions__offer_yml", "id: x\n",
     "actions/offer.yml:1: file: no such file belongs to a catalog: rename it to actions/offer.yaml"),
    ("templates__offer_html", "<p>\n{% endif %}\n",
     "templates/offer.html:2: template: {% endif %} stands where nothing is open that it belongs to"),
    # faults that the engine finds, at the line of the part at fault
    ("policies_yaml", "caps:\n  - id: a\n    per: 7d\n    limit: 0\n",
     "policies.yaml:4: caps[1].limit: a limit is at least 1: "
     "to send nothing at all, end the action's validity instead"),
    ("policies_yaml", "caps:\n\n  - id: a\n    per: 7d\n", "policies.yaml:3: caps[1].limit: is required"),
    ("policies_yaml", "caps: 3\n", "policies.yaml:1: caps: should be a list"),
    ("policies_yaml", "- caps\n", "policies.yaml:1: file: should be a mapping"),
    ("actions__offer_yaml", OFFER.replace("within: 7d", "within: 7 days"),
     "actions/offer.yaml:9: eligible.all[2].event.within: a duration is a number and a unit: "
     "30s, 30m, 2h or 7d; write 7d"),
    ("actions__offer_yaml", OFFER.replace("[DE, NO]", "[DE, 4]"),
     "actions/offer.yaml:8: eligible.all[1].trait.in: mixes texts, numbers or truth values"),
    ("actions__offer_yaml", OFFER.replace("marketing", "fun"),
     "actions/offer.yaml:3: purpose: no purpose called 'fun' is known"),
    ("actions__offer_yaml", OFFER.replace("offer.html", "x.html"),
     "actions/offer.yaml:12: variants[1].email.template: no template called 'x.html' in templates/"),
    ("channels_yaml", CHANNELS + "    password: hunter2\n",
     "channels.yaml:8: channels[2].password: a secret is never written here: "
     "name its environment variable as password_env"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "problem"), BAD, ids=[row[2][:50] for row in BAD])
def test_a_fault_is_named_with_its_line(tmp_path: Path, name: str, text: str, problem: str) -> None:
    assert _problems(_write(tmp_path, **{name: text})) == [problem]


def test_one_look_finds_every_problem_and_blames_nothing_on_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    directory = _write(
        tmp_path,
        consent_yaml="purposes: {\n",
        actions__offer_yaml=OFFER.replace("promotional", "gold").replace("name: country", "nam: country"),
        segments_yaml="segments:\n  a: {segment: a}\n",
    )
    assert _problems(directory) == [
        "actions/offer.yaml:2: tier: should be 'service', 'lifecycle' or 'promotional'",
        "actions/offer.yaml:8: eligible.all[1].trait.name: is required",
        "actions/offer.yaml:8: eligible.all[1].trait.nam: is not known here, did you mean 'name'?",
        "consent.yaml:1: yaml: a { is opened here and closed nowhere",
        "segments.yaml:2: segments.a: goes round in a circle: segment a → segment a",
    ]


def test_a_small_text_cannot_stand_for_a_huge_tree(tmp_path: Path) -> None:
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    laughs += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
    (problem,) = _problems(_write(tmp_path, policies_yaml=laughs))
    assert "repeats itself too often" in problem
    (problem,) = _problems(_write(tmp_path, policies_yaml="[" * 70 + "]" * 70))
    assert "nested too deeply" in problem or "nested deeper than" in problem


def test_text_that_is_not_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    (_write(tmp_path) / "consent.yaml").write_bytes(b"purposes:\n  m\xfcll: {}\n")
    assert _problems(tmp_path) == ["consent.yaml:2: file: is not text in UTF-8"]


def test_notes_and_leavings_are_passed_over(tmp_path: Path) -> None:
    directory = _write(tmp_path, README_md="x", actions__offer_yaml=OFFER)
    for name in (
        ".git/config",
        "actions/.offer.yaml.swp",
        "policies.yaml~",
        "schema/policies.json",
        "playbooks/a/x.yaml",
    ):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text("[")
    assert config_files.load(directory).actions.keys() == {"offer"}


def test_a_directory_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    assert _problems(tmp_path / "no") == [f"{tmp_path}/no:1: directory: there is no such directory"]


def test_validate_prints_each_problem_on_a_line_and_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as refused:
        validate(_write(tmp_path, policies_yaml="caps: 3\nstops: 4\n"))
    told = capsys.readouterr()
    assert refused.value.exit_code == 2 and told.out == ""
    assert told.err.splitlines() == [
        "policies.yaml:1: caps: should be a list",
        "policies.yaml:2: stops: should be a list",
    ]


def test_validate_says_what_a_catalog_in_order_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    validate(_write(tmp_path))
    told = capsys.readouterr().out
    assert config_files.load(tmp_path).version in told and "2 channels, 1 actions" in told


def test_the_schema_for_editors_is_in_step() -> None:
    written = {path.stem: path.read_text("utf-8") for path in (SHIPPED / "schema").glob("*.json")}
    assert written == schema_texts(), "run `segue validate --write-schema`"


def test_the_schema_for_editors_accepts_the_shipped_catalog() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    kinds = {"actions": "action", "journeys": "journey"}
    for file, data in config_files.read(SHIPPED).data.items():
        if not file.startswith("templates/") and not isinstance(data, bytes):
            kind = kinds.get(file.partition("/")[0], file.removesuffix(".yaml"))
            schema = json.loads((SHIPPED / "schema" / f"{kind}.json").read_text("utf-8"))
            jsonschema.validate(data, schema)


def test_the_shipped_catalog_has_what_the_shop_needs() -> None:
    catalog = config_files.load(SHIPPED)
    hero = [action for action in catalog.actions.values() if "home_hero" in action.placements]
    competing = {action.category for action in hero if action.tier == "promotional"}
    assert len(competing - {None}) >= 6
    assert {action.tier for action in hero} == {"service", "lifecycle", "promotional"}
    assert catalog.journeys.keys() == {"abandoned_cart", "browse_abandonment", "receipt", "welcome"}
    assert [(step.kind, step.action or step.for_ms) for step in catalog.journeys["abandoned_cart"].steps] == [
        ("wait", 3_600_000),
        ("send", "cart_reminder"),
        ("wait_for", 2 * 86_400_000),
        ("branch", 0),
        ("send", "cart_call"),
        ("jump", 0),
        ("send", "cart_last_call"),
    ]
    weekly = next(cap for cap in catalog.caps if cap.id == "email_weekly")
    assert (weekly.limit, weekly.per_ms) == (2, 7 * 86_400_000)
    assert [(stop.id, stop.on.event, stop.tier) for stop in catalog.stops] == [
        ("purchase", "Order Completed", "promotional")
    ]


@pytest.mark.parametrize("traits", [{}, {"name": "Ada"}])
def test_every_shipped_message_renders_with_what_its_journey_knows(traits: dict[str, Any]) -> None:
    catalog = config_files.load(SHIPPED)
    jinja = TemplateLanguage(autoescape=True)
    cart = {"cart_id": "c1", "product_id": "bags-01", "category": "bags", "price": 24.9, "quantity": 1, "value": 24.9}
    order = {"order_id": "o1", "total": 24.9, "currency": "EUR", "products": [cart]}
    events = {"abandoned_cart": cart, "browse_abandonment": cart, "receipt": order, "welcome": {"method": "email"}}
    for journey in catalog.journeys.values():
        for step in journey.steps:
            if step.kind != "send":
                continue
            action = catalog.actions[step.action]
            known = {"traits": traits, "event": events[journey.id], "action": action.facts | {"category": "bags"}}
            known |= {"unsubscribe_url": "https://shop.example/u/t", "language": "en"}
            for text in action.variants[0].content[step.channel].values():
                said = jinja.from_string(catalog.templates.get(text, text)).render(known)
                assert said and "{{" not in said
                assert text not in catalog.templates or known["unsubscribe_url"] in said


DEEP = [
    "[" * 3_000 + "]" * 3_000,
    "a: " + "{b: " * 3_000 + "1" + "}" * 3_000,
    "- " * 500 + "1",
    "\n".join(" " * depth + "a:" for depth in range(600)),
]


@pytest.mark.parametrize("text", DEEP, ids=[each[:9] for each in DEEP])
def test_yaml_that_is_nested_too_deeply_is_given_up_where_it_is(tmp_path: Path, text: str) -> None:
    (problem,) = _problems(_write(tmp_path, policies_yaml=text))
    assert problem.startswith("policies.yaml:") and problem.endswith("yaml: is nested deeper than 60 levels"), problem


def test_yaml_of_too_many_values_is_given_up_before_it_is_read(tmp_path: Path) -> None:
    few = "caps:\n" + "  - {id: x, limit: 1}\n" * 1_600
    problems = _problems(_write(tmp_path, policies_yaml=few * 20))
    assert "policies.yaml:2002: yaml: holds more than 10000 values: split the file" in problems, problems
    assert "values" not in "".join(_problems(_write(tmp_path, policies_yaml=few)))


@pytest.mark.parametrize(
    "files",
    [
        {"a" * 300: ""},
        {"a" * 250 + "/" + "b" * 250: ""},
        {"a\0b": ""},
        {"a": "", "a/b": ""},
        {"a/b": "", "a": ""},
        {"": ""},
        {"..": ""},
        {"/etc/passwd": ""},
        {"a.yaml": "\ud800"},
        {f"{number}.yaml": "" for number in range(2_001)},
    ],
    ids=str,
)
def test_files_that_no_disk_takes_belong_to_no_catalog(files: dict[str, str]) -> None:
    with pytest.raises(CatalogError):
        config_files.read_texts(files)
