"""`segue simulate`: history through a catalog, in process; what it prints and writes is a contract."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.world import action, cart_journey, document
from typer.testing import CliRunner

from engine.errors import CatalogError, UsageError
from serve.cli import app
from serve.commands import simulate as command
from serve.commands.simulate import simulate
from serve.simulation import running, sorting, sources

CONSENT = {"purposes": {"marketing": {"no_consent_needed": ["email", "sms"]}}}
POLICIES = {
    "caps": [{"id": "weekly", "limit": 1, "per": "7d", "match": {"channel": "email"}}],
    "stops": [{"id": "purchase", "on": "Order Completed", "tier": "promotional"}],
}
Show = Callable[..., Any]


def write_catalog(directory: Path, **files: Any) -> Path:
    """A catalog on disk; JSON is YAML."""
    plain = document(actions=[action("cart_reminder")], journeys=[cart_journey()], consent=CONSENT, policies=POLICIES)
    plain["templates/plain.html"] = '<p>Hello</p><a href="{{ unsubscribe_url }}">No more</a>'
    for name, content in (plain | {f"{name}.yaml": content for name, content in files.items()}).items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return directory


def event(time: str, user: str, name: str, **fields: Any) -> str:
    base = {
        "type": "track",
        "messageId": f"{time}-{user}-{name}",
        "timestamp": f"2026-03-02T{time}.000Z",
        "userId": user,
    }
    return json.dumps(base | {"event": name, "properties": fields.pop("properties", {})} | fields)


def identify(time: str, user: str) -> str:
    return event(time, user, "", type="identify", traits={"email": f"{user}@example.com"})


def added(time: str, user: str, cart: str = "c") -> str:
    return event(time, user, "Product Added", properties={"cart_id": cart})


# Ada is reminded once and held once, Bob buys in time, Eve has no address.
HISTORY = [
    identify("08:00:00", "ada"),
    identify("08:00:00", "bob"),
    added("09:00:00", "ada"),
    added("09:00:00", "bob"),
    added("09:00:01", "eve"),
    added("09:00:00", "ada"),  # a repeat, and older than the line before it
    added("09:20:00", "ada"),
    event("10:00:00", "bob", "Order Completed"),  # 0 s before his reminder: inputs come before timers
    added("12:00:00", "ada", "d"),
]
SUMMARY = {
    "events": 8,
    "profiles": 3,
    "sends": {"email": 1},
    "held": {"cap.weekly": 1, "fit.no_email": 1},
    "withdrawn": 1,
    "expired": 0,
    "silent": 0,
    "unavoidable": 0,
    "stops": 1,
    "timers": {"set": 4, "reset": 1, "fired": 3, "cancelled": 1},
    "journeys": {"abandoned_cart": {"entered": 4, "completed": 3, "stopped": 1}},
    "funnels": {
        "abandoned_cart": {
            "entered": 4,
            "steps": {
                "0": {"reached": 4},
                "1": {"reached": 3, "sent": 1, "held": {"cap.weekly": 1, "fit.no_email": 1}},
            },
            "sent": 1,
            "held": {"cap.weekly": 1, "fit.no_email": 1},
            "stopped": {"stop.purchase": 1},
            "completed": 3,
        }
    },
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_catalog(tmp_path / "configs")


@pytest.fixture
def history(tmp_path: Path) -> Path:
    path = tmp_path / "history.jsonl"
    path.write_text("\n".join(HISTORY))
    return path


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str], config: Path, history: Path) -> Show:
    """Run the command; its JSON, its lines without the profile ids, or its complaints."""

    def run(**options: Any) -> Any:
        simulate(**{"events": [history], "config": config, "as_json": True} | options)
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every history counts as a long one, and each neighbourhood is simulated by itself."""
    monkeypatch.setattr(running, "SHORT_INPUTS", 0)
    monkeypatch.setattr(sorting, "GROUP_INPUTS", 1)


@pytest.mark.parametrize("lot", [1, 4, 5_000])
def test_the_summary_is_exact_in_any_lots(show: Show, lot: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sources, "LOT_LINES", lot)
    assert show() == SUMMARY


@pytest.mark.parametrize("processes", [1, 3])
@pytest.mark.parametrize("lot", [1, 5_000])
def test_the_summary_is_exact_in_any_number_of_processes(
    show: Show, in_groups: None, processes: int, lot: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sources, "LOT_LINES", lot)
    assert show(processes=processes) == SUMMARY


def test_the_lines_are_in_order_of_time_profile_and_sequence(
    show: Show, tmp_path: Path, request: pytest.FixtureRequest
):
    written = []
    for processes in (1, 2):
        out = tmp_path / f"out{processes}.jsonl"
        show(out=out, processes=processes)
        written.append(out.read_text())
        request.getfixturevalue("in_groups")
    assert written[0] == written[1]
    lines = [json.loads(line) for line in written[0].splitlines()]
    assert [(line["at"], line["profileId"]) for line in lines] == sorted(
        (line["at"], line["profileId"]) for line in lines
    )
    ada = next(line["profileId"] for line in lines if line["kind"] == "send")
    cart = {"journey": "abandoned_cart"}
    send = cart | {"step": "1", "action": "cart_reminder", "channel": "email"}
    wanted = [
        ("09:00:00.000", cart | {"kind": "timer", "step": "0", "reason": "set"}),
        ("09:20:00.000", cart | {"kind": "timer", "step": "0", "reason": "reset"}),
        ("10:20:00.000", cart | {"kind": "timer", "step": "0", "reason": "fired"}),
        ("10:20:00.000", send | {"kind": "decision"}),
        ("10:20:20.000", send | {"kind": "send"}),
        ("12:00:00.000", cart | {"kind": "timer", "step": "0", "reason": "set"}),
        ("13:00:00.000", cart | {"kind": "timer", "step": "0", "reason": "fired"}),
        ("13:00:00.000", send | {"kind": "held", "reason": "cap.weekly"}),
    ]
    hers = [line for line in lines if line["profileId"] == ada]
    assert hers == [{"at": f"2026-03-02T{at}Z", "profileId": ada} | told for at, told in wanted]
    stopped = [(line["kind"], line.get("reason")) for line in lines if line["at"] == "2026-03-02T10:00:00.000Z"]
    assert ("stop", "stop.purchase") in stopped and ("withdrawn", "stop.purchase") in stopped
    assert ("timer", "cancelled") in stopped


def test_without_a_drain_what_is_pending_stays(show: Show):
    summary = show(no_drain=True)
    assert summary["timers"] == {"set": 4, "reset": 1, "fired": 2, "cancelled": 1}
    assert summary["held"] == {"fit.no_email": 1}


def test_without_a_drain_what_the_last_line_started_still_arrives(show: Show, tmp_path: Path, history: Path):
    write_catalog(tmp_path / "configs", **{"journeys/abandoned_cart": cart_journey(steps=[cart_journey()["steps"][1]])})
    history.write_text("\n".join([identify("08:00:00", "ada"), added("09:00:00", "ada")]))
    assert show(no_drain=True)["sends"] == {"email": 1}


def test_two_files_are_one_history_however_they_are_named(config: Path, history: Path, tmp_path: Path):
    halves = [tmp_path / "even.jsonl", tmp_path / "odd.jsonl"]
    for number, half in enumerate(halves):
        half.write_text("\n".join(HISTORY[number::2]))
    for names in (["--events", halves[0], "--events", halves[1]], ["--events", *halves]):
        result = CliRunner().invoke(app, ["simulate", *map(str, names), "--config", str(config), "--json"])
        assert result.exit_code == 0 and json.loads(result.stdout) == SUMMARY


def test_against_another_catalog_the_difference_says_who_gains_and_who_loses(show: Show, config: Path, tmp_path: Path):
    no_cap = write_catalog(tmp_path / "other", policies={"stops": POLICIES["stops"]})
    compared = show(config=no_cap, against=config)
    assert compared["against"] == SUMMARY
    assert compared["config"]["sends"] == {"email": 2}
    funnel = compared["difference"].pop("funnels")["abandoned_cart"]
    assert (funnel["sent"], funnel["steps"]["1"]["held"]) == (1, {"fit.no_email": 0, "cap.weekly": -1})
    assert compared["difference"] == {
        "events": 0,
        "profiles": 0,
        "sends": {"email": 1},
        "held": {"fit.no_email": 0, "cap.weekly": -1},
        "withdrawn": 0,
        "expired": 0,
        "silent": 0,
        "unavoidable": 0,
        "stops": 0,
        "timers": {"set": 0, "reset": 0, "fired": 0, "cancelled": 0},
        "journeys": {"abandoned_cart": {"entered": 0, "completed": 0, "stopped": 0}},
    }
    assert compared["profiles"] == {"gain": 1, "lose": 0}
    assert show(config=config, against=no_cap)["profiles"] == {"gain": 0, "lose": 1}


def test_people_get_tables(config: Path, history: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    simulate(events=[history], config=config)
    rows = {" ".join(line.split()) for line in capsys.readouterr().out.splitlines()}
    assert {"events 8", "sends email 1", "held cap.weekly 1", "stops 1", "timers fired 3"} <= rows
    other = write_catalog(tmp_path / "other", policies={})
    simulate(events=[history], config=config, against=other)
    out = capsys.readouterr().out
    rows = {" ".join(line.split()) for line in out.splitlines()}
    assert {"sends email 1 3 -2", "stops 1 0 1"} <= rows
    assert "0 profiles gain sends, 2 lose sends" in out


BAD = [
    ("not json", "is not JSON in UTF-8"),
    (
        '{"timestamp": "2026-03-02T09:00:00Z", "type": "track", "event": "X"}',
        "userId: names nobody: it needs a userId, anonymousId, entry in context.externalIds or other identifier",
    ),
    (event("09:00:00", "ada", "X", timestamp="tomorrow"), "timestamp: is not a time in ISO 8601"),
    (event("09:00:00", "ada", "X", type="tracked"), "type: must be one of track"),
    (event("09:00:00", "ada", "X", properties={"much": "x" * (1 << 20)}), "is longer than 1 MB"),
    (event("09:00:00", "guest", "X"), "names nobody that can be known"),
    (
        event("09:00:00", "null", "X"),
        "userId: names nobody: it needs a userId, anonymousId, entry in context.externalIds or other identifier",
    ),
    (event("09:00:00", "ada", "X", properties={"half": "?"}).replace("?", "\\ud83d"), "is not JSON in UTF-8"),
    (
        event("09:00:00", "ada", "X", properties={"n": 1}).replace('"n": 1', f'"n": {2**70}'),
        "properties: holds an integer",
    ),
]


def test_every_bad_line_is_named_and_the_good_ones_count(
    show: Show, config: Path, history: Path, capsys: pytest.CaptureFixture[str]
):
    lines = HISTORY[:4] + [raw for raw, _ in BAD] + HISTORY[4:]
    history.write_text("\n".join(lines))
    simulate(events=[history], config=config, as_json=True)
    shown = capsys.readouterr()
    assert json.loads(shown.out) == SUMMARY
    *named, counted = shown.err.splitlines()
    assert counted == f"{len(BAD)} of {len(lines)} lines were not taken"
    complaints = sorted(named, key=lambda line: int(line.split(":")[1]))
    assert len(complaints) == len(BAD)
    for number, (complaint, (_, reason)) in enumerate(zip(complaints, BAD, strict=True), 5):
        assert complaint.startswith(f"{history}:{number}: {reason}")


def test_too_many_bad_lines_are_counted(show: Show, config: Path, history: Path, capsys: pytest.CaptureFixture[str]):
    history.write_text("nonsense\n" * 50 + HISTORY[0])
    simulate(events=[history], config=config)
    complaints = capsys.readouterr().err.splitlines()
    assert len(complaints) == 22 and complaints[-2:] == ["… and 30 more", "50 of 51 lines were not taken"]


def test_a_history_of_unusable_lines_alone_is_a_failure(config: Path, tmp_path: Path):
    history, out = tmp_path / "history.jsonl", tmp_path / "out.jsonl"
    history.write_text("nonsense\n" * 3 + event("09:00:00", "null", "X"))
    for options in ([], ["--json"], ["--out", str(out)], ["--against", str(config)]):
        done = CliRunner().invoke(app, ["simulate", "--events", str(history), "--config", str(config), *options])
        assert done.exit_code == 1
        assert done.stderr == f"segue: none of the 4 lines can be used: {history}:1: is not JSON in UTF-8\n"


def test_an_empty_history_is_no_error(show: Show, history: Path):
    history.write_text("")
    assert show()["events"] == 0


def test_used_wrongly_it_says_so_before_it_starts(config: Path, history: Path, tmp_path: Path):
    with pytest.raises(CatalogError, match="there is no such directory"):
        simulate(events=[history], config=tmp_path / "nowhere")
    broken = write_catalog(tmp_path / "broken", policies={"caps": [{"id": "x", "limit": 0, "per": "7d"}]})
    for options in ({"config": broken}, {"config": config, "against": broken}):
        with pytest.raises(CatalogError, match=r"policies.yaml:1: .*limit"):
            simulate(events=[history], **options)
    with pytest.raises(UsageError, match="cannot be read"):
        simulate(events=[tmp_path / "nothing.jsonl"], config=config)
    for out in (tmp_path / "no" / "such" / "directory", tmp_path, history):
        with pytest.raises(UsageError, match="--out"):
            simulate(events=[history], config=config, out=out)
    assert history.read_text() == "\n".join(HISTORY)


def test_the_ids_are_those_of_a_replay():
    from engine.seeds import FIXED_KEY

    assert command._catalog(Path(__file__).resolve().parents[3] / "configs").id_key == FIXED_KEY


@pytest.mark.parametrize("status", ["draft", "paused", "stopped"])
def test_a_journey_that_is_not_live_is_entered_by_nobody(show: Show, tmp_path: Path, status: str):
    config = write_catalog(tmp_path / "other", **{"journeys/abandoned_cart": cart_journey(status=status)})
    shown = show(config=config)
    assert (shown["sends"], shown["timers"]["set"]) == ({}, 0)
    assert shown["journeys"] == {"abandoned_cart": {"entered": 0, "completed": 0, "stopped": 0}}


def test_a_send_of_a_paused_action_waits_and_the_end_comes_all_the_same(show: Show, tmp_path: Path):
    config = write_catalog(tmp_path / "other", **{"actions/cart_reminder": action("cart_reminder", status="paused")})
    shown = show(config=config)
    assert shown["sends"] == {} and shown["held"] == {"status.paused": 3}
    assert shown["journeys"]["abandoned_cart"] == {"entered": 4, "completed": 0, "stopped": 1}


# What the door would do, and what would be written


PLAN = {
    "unknown": "warn",
    "events": {
        "Product Added": {"schema": {"required": ["cart_id"]}},
        "Order Completed": {},
    },
}


def test_the_tracking_plan_is_asked_as_at_the_door(tmp_path: Path, show: Show, capsys: pytest.CaptureFixture[str]):
    config = write_catalog(tmp_path / "planned", tracking_plan=PLAN)
    history = tmp_path / "planned.jsonl"
    history.write_text(
        "\n".join(
            [
                identify("08:00:00", "ada"),
                identify("08:00:00", "bob"),
                added("09:00:00", "ada"),
                event("09:00:00", "bob", "Product Added", properties={"basket": "c"}),
                event("09:00:00", "bob", "Product Praised"),
            ]
        )
    )
    simulate(events=[history], config=config, as_json=True)
    told = capsys.readouterr()
    summary = json.loads(told.out)
    assert (summary["events"], summary["sends"]) == (4, {"email": 1})
    assert (summary["quarantined"], summary["warned"]) == (1, 1)
    assert f"{history.name}:4: properties: tracking plan: properties: " in told.err


def test_what_is_sent_is_written_where_that_is_asked_for(tmp_path: Path, config: Path, history: Path):
    (config / "templates/plain.html").write_text("<p>Your cart {{ event.cart_id }} waits</p>{# unsubscribe_url #}")
    out = tmp_path / "out.jsonl"
    simulate(events=[history], config=config, out=out, render=True)
    sent = [line for line in map(json.loads, out.read_text().splitlines()) if line["kind"] == "send"]
    assert [(line["subject"], line["text"]) for line in sent] == [("cart_reminder", "Your cart c waits\n")]


def test_a_message_that_cannot_be_written_is_refused_as_it_would_be(
    tmp_path: Path, show: Show, config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    endless = "{% for a in range(999) %}" * 3 + "{% endfor %}" * 3
    (config / "templates/plain.html").write_text(f"{{% if event.cart_id in ['c'] %}}{endless}{{% endif %}}")
    assert show() == SUMMARY
    simulate(events=[tmp_path / "history.jsonl"], config=config, as_json=True, render=True)
    told = capsys.readouterr()
    assert json.loads(told.out)["refused"] == 1  # and its place under the cap is the next one's
    assert "cart_reminder on email is refused: template plain.html: does more than a message may" in told.err


def test_only_what_happens_since_a_time_is_counted(show: Show, tmp_path: Path):
    out = tmp_path / "out.jsonl"
    summary = show(since="2026-03-02T10:30:00Z", out=out)
    assert (summary["events"], summary["sends"], summary["held"]) == (1, {}, {"cap.weekly": 1})
    assert min(json.loads(line)["at"] for line in out.read_text().splitlines()) == "2026-03-02T12:00:00.000Z"
    with pytest.raises(UsageError, match="--since"):
        show(since="yesterday")


def test_a_data_directory_or_files_one_of_them(show: Show, tmp_path: Path, history: Path):
    for wrong in ({"events": None}, {"data": tmp_path}):
        with pytest.raises(UsageError, match="either --events"):
            show(**wrong)
    with pytest.raises(UsageError, match="is no data directory"):
        show(events=None, data=tmp_path)
