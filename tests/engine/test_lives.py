"""The lives of sends and runs: nothing leaves its table, every arrow is taken, and the page shows what the code has."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.world import DAY, HOUR, ID_KEY, MINUTE, START_MS, action, compiled, document

from engine import codec, seeds
from engine.inputs import Authorise, ConsentChange, Event, Given, HandOver, Settle, TimersDue
from engine.journeys.life import RUN, state_of
from engine.parts.of_identity import Link
from engine.profile import Profile
from engine.sends import life as send_life
from engine.sends.life import SEND
from engine.transitions import InvalidTransition, Life
from engine.turn import handle
from engine.vocabulary import FINAL_STATES, SendState

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/design/lives.md"
OWNERS = {"engine/sends/life.py", "engine/journeys/life.py", "engine/turn_state.py"}


# -- the tables


def test_a_send_ends_in_the_final_states_of_the_vocabulary():
    ends = {state for state in SEND.arrows.values() if state not in {begin for begin, _ in SEND.arrows}}
    assert ends == FINAL_STATES
    assert set(SEND.arrows.values()) == set(get_args(SendState))


def test_what_a_table_does_not_have_is_refused():
    with pytest.raises(InvalidTransition, match="a send that is handing_over cannot withdraw"):
        SEND.after("handing_over", "withdraw")
    assert issubclass(InvalidTransition, AssertionError), "a fault of ours: the turn is undone"


def test_what_is_being_handed_over_cannot_be_called_back():
    profile = with_letter(Story()).profile
    (send,) = profile.sends
    send_life.advance(profile, send, "authorise")
    with pytest.raises(InvalidTransition):
        send_life.advance(profile, send, "withdraw")
    assert [(known.id, known.state) for known in profile.sends] == [(send.id, "handing_over")]


@pytest.mark.parametrize("life", [SEND, RUN], ids=lambda life: life.of)
def test_the_page_shows_the_table(life: Life):
    assert life.diagram() in PAGE.read_text("utf-8"), f"docs/design/lives.md should have:\n\n{life.diagram()}\n"


# -- nobody else gives a state, or takes a send or a run out of its profile


CHANGES = {"append", "extend", "insert", "remove", "pop", "clear"}
KEPT = {"sends", "runs"}


def changes_of(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Where a module changes a state, the timer of a run, or one of the two lists."""
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = [part for each in node.targets for part in (each.elts if isinstance(each, ast.Tuple) else [each])]
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        elif isinstance(node, ast.Delete):
            targets = node.targets
        for target in targets:
            at = target.value if isinstance(target, ast.Subscript) else target
            if isinstance(at, ast.Attribute) and at.attr in {"state", "due_ms", *KEPT} and at.attr != "self":
                yield node.lineno, at.attr
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            on = node.func.value
            if node.func.attr in CHANGES and isinstance(on, ast.Attribute) and on.attr in KEPT:
                yield node.lineno, on.attr
            if node.func.attr in {"set_timer", "drop_timer"}:
                yield node.lineno, node.func.attr
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr":
            names = node.args[1]
            if isinstance(names, ast.Constant) and names.value in {"state", "due_ms", *KEPT}:
                yield node.lineno, names.value


def test_the_test_sees_what_it_looks_for():
    seen = ast.parse(
        "send.state, send.room = 'sent', ''\nrun.due_ms = 1\nprofile.sends[:] = []\nprofile.runs.append(run)\n"
        "turn.set_timer(run, 1, 's', 'set')\ndel profile.runs[0]\nsetattr(run, 'state', 'stopped')"
    )
    assert {line for line, _ in changes_of(seen)} == {1, 2, 3, 4, 5, 6, 7}


@pytest.mark.parametrize("module", sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("engine/**/*.py")))
def test_only_the_two_lives_change_a_state(module: str):
    found = list(changes_of(ast.parse((ROOT / module).read_text("utf-8"))))
    assert not found or module in OWNERS, found


# -- turns never leave the tables, and take every arrow

SLOW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def waiting(hours: int, ending: str = "continue") -> dict[str, Any]:
    return {"wait_for": {"event": f"Ended {ending}", "timeout": f"{hours}h", "on_event": ending}}


# Arms that wait, that hold arms themselves, and from which the whole journey may be left.
PARTED: dict[str, Any] = {"parallel": {"join": "any", "arms": {
    "quick": [waiting(3, "exit")],
    "letter": [{"wait": {"for": "1h"}}, {"send": {"action": "letter", "channel": "sms", "on_held": "exit"}},
               {"wait": {"for": "5h"}}],
    "inner": [{"parallel": {"arms": {"x": [waiting(2)], "y": [{"wait": {"for": "9h"}}]}}}],
}}}  # fmt: skip


def shop(status: str = "live", letter: str = "live", until: str = "2027-01-01") -> dict[str, Any]:
    """A journey with every kind of step that waits, one of promises to an address, and letters by text."""
    steps = [
        {"wait": {"for": "1h", "reset_on": ["Again"], "late": {"drop_if_late": "1h"}}},
        {"send": {"action": "letter", "channel": "sms", "on_held": "wait"}},
        {"wait_for": {"event": "Answered", "timeout": "2h"}},
        {"send": {"action": "letter", "channel": "sms", "on_held": "exit"}},
        {"wait": {"for": "1h"}},
    ]
    journeys = [
        {"id": "way", "tier": "promotional", "trigger": {"event": "Told"}, "key": "k", "status": status, "steps": steps,
         "re_entry": {"concurrent": 2}},
        {"id": "receipt", "tier": "service", "trigger": {"event": "Paid"},
         "steps": [{"send": {"action": "receipt", "channel": "email"}}]},
        {"id": "ways", "tier": "lifecycle", "trigger": {"event": "Parted"}, "steps": [PARTED, {"wait": {"for": "1h"}}],
         "stops": [{"id": "met", "on": "Met"}]},
        {"id": "short", "tier": "promotional", "trigger": {"event": "Seen"},
         "steps": [{"exit": {}}], "re_entry": {"concurrent": 1}},
        {"id": "ladder", "tier": "promotional", "trigger": {"event": "Hurried"},
         "steps": [{"send": {"action": "news", "channels": ["sms", "email"], "deadline": "1h", "on_held": "wait",
                             "fallback": {"on": ["no_consent", "held", "refused", {"down": "10m"}, {"silent": "2h"}]}}},
                   {"wait": {"for": "1h"}}]},
    ]  # fmt: skip
    return document(
        consent={
            "purposes": {
                "marketing": {"channels": ["sms"], "default": True},
                "service": {"channels": [], "default": True},
            },
            "events": ["Consent Updated"],
        },
        actions=[
            action("letter", channels=["sms"], status=letter, valid={"until": until}),
            action("receipt", tier="service", purpose="service"),
            action("news", channels=["sms", "email"]),
        ],
        journeys=journeys if status != "removed" else journeys[1:],
        policies={
            "stops": [{"id": "bought", "on": "Bought"}],
            "caps": [{"id": "texts", "limit": 3, "per": "7d", "match": {"channel": "sms"}}],
        },
    )


CATALOGS = {name: compiled(shop(*said)) for name, said in {
    "live": (), "paused": ("paused",), "stopped": ("stopped",), "removed": ("removed",),
    "no letters": ("live", "paused"), "over": ("live", "live", "2026-03-02"),
}.items()}  # fmt: skip
for _catalog in CATALOGS.values():
    _catalog.archive.update({each.version: each for each in CATALOGS.values()})


class Story:
    """One customer, told one thing at a time, without anything around the engine."""

    def __init__(self, user: str = "ada") -> None:
        self.user = user
        self.profile = Profile(seeds.profile_id(ID_KEY, "user_id", user), identifiers=[Link("user_id", user, 1, 1)])
        self.catalog = CATALOGS["live"]
        self.now_ms = START_MS
        self.count = 0
        address = {"traits": {"email": "ada@example.com"}, "identifiers": (("email", "ada@example.com"),)}
        self.does("Identified", kind="identify", public=True, **address)  # nobody has verified the address

    def tell(self, told: Any) -> None:
        handle(self.profile, told, self.catalog, self.now_ms)
        states = {state_of(run) for run in self.profile.runs}
        assert states <= {"waiting", "paused", "joining", "completed", "exited", "stopped"}, "nobody walks after a turn"
        assert {send.state for send in self.profile.sends} <= {"decided", "handing_over"}

    def does(self, name: str, *, ago_ms: int = 0, **fields: Any) -> None:
        self.count += 1
        said: dict[str, Any] = {
            "kind": "track",
            "name": name,
            "at_ms": self.now_ms - ago_ms,
            "received_at_ms": self.now_ms,
            "message_id": f"m{self.count}",
            "user_id": self.user,
            "properties": {"k": "1"},
        }
        self.tell(Event(**(said | fields)))

    def passes(self, ms: int, *, late_ms: int = 0) -> None:
        """Time goes by, and each timer fires: when it is due, or only at the end."""
        end_ms = self.now_ms + ms
        while due := [run.due_ms for run in self.profile.runs if run.state == "active" and 0 < run.due_ms <= end_ms]:
            self.now_ms = max(self.now_ms, min(due) + late_ms)
            self.tell(TimersDue(at_ms=min(due)))
        self.now_ms = max(self.now_ms, end_ms)

    def authorises(self, dispatcher: str = "d1") -> None:
        for send in list(self.profile.sends):
            self.tell(Authorise(send_id=send.id, dispatcher=dispatcher))

    def settles(self, outcome: str) -> None:
        for send in list(self.profile.sends):
            self.tell(Settle(send_id=send.id, outcome=outcome))

    def takes(self, name: str) -> None:
        """The catalog becomes another one; the next turn finds it."""
        self.catalog = CATALOGS[name]
        self.does("Nothing")

    def absorbs(self, other: Story) -> None:
        """Another customer turns out to be this one."""
        self.tell(HandOver(origin=other.profile.id, state=codec.encode_record(other.profile)))


def with_letter(story: Story) -> Story:
    """A letter is decided and waits."""
    story.does("Told")
    story.passes(HOUR)
    assert [send.state for send in story.profile.sends] == ["decided"]
    return story


EVENTS = ("Told", "Again", "Answered", "Bought", "Paid", "Seen", "Parted", "Met", "Ended exit", "Hurried")
MOVES = st.one_of(
    st.tuples(st.just("does"), st.sampled_from(EVENTS),
              st.sampled_from([0, 30 * MINUTE, 3 * HOUR])),
    st.tuples(st.just("passes"), st.sampled_from([MINUTE, HOUR, 3 * HOUR, 2 * DAY]), st.sampled_from([0, 3 * HOUR])),
    st.tuples(st.just("authorises"), st.sampled_from(["d1", "d2"])),
    st.tuples(st.just("settles"),
              st.sampled_from(["sent", "simulated", "refused", "unknown", "retry", "not_begun"])),
    st.tuples(st.just("takes"), st.sampled_from(sorted(CATALOGS))),
    st.tuples(st.just("says"), st.booleans()),
    st.tuples(st.just("absorbs"), st.sampled_from(["letter", "letter that leaves", "wait", "walks"])),
    st.tuples(st.just("room"), st.booleans()),
)  # fmt: skip


def happens(story: Story, move: tuple[Any, ...]) -> None:
    match move:
        case ("does", name, ago_ms):
            story.does(name, ago_ms=ago_ms, public=name == "Paid")
        case ("passes", ms, late_ms):
            story.passes(ms, late_ms=late_ms)
        case ("authorises", dispatcher):
            story.authorises(dispatcher)
        case ("settles", outcome):
            story.settles(outcome)
        case ("takes", name):
            story.takes(name)
        case ("says", granted):
            story.tell(ConsentChange(purpose="marketing", channel="sms", granted=granted,
                                     at_ms=story.now_ms, source="form"))  # fmt: skip
        case ("absorbs", what):
            other = Story(f"bob{story.count}")
            other.now_ms = story.now_ms
            other.does("Told", ago_ms=3 * HOUR if what == "walks" else 0)
            if what == "walks":  # what was kept before each run had a timer between turns
                other.profile.runs[0].due_ms = 0
            elif what != "wait":
                other.passes(HOUR)
                story.now_ms = other.now_ms
            if what == "letter that leaves":
                other.authorises()
            story.absorbs(other)
        case ("room", granted):
            for send in list(story.profile.sends):
                send.room = "asked"
                story.tell(Given(send=send.id, granted=granted))


@SLOW
@given(st.lists(MOVES, min_size=4, max_size=16))
def test_no_turn_leaves_the_tables(moves: list[tuple[Any, ...]]):
    story = Story()
    story.does("Told")
    for move in moves:
        happens(story, move)


STORIES: list[list[tuple[Any, ...]]] = [
    # A run from its first step to its last, and what a provider may say of its letters.
    [("does", "Again", 0), ("passes", HOUR, 0), ("authorises", "d1"), ("authorises", "d1"), ("settles", "retry"),
     ("authorises", "d1"), ("settles", "not_begun"), ("authorises", "d1"), ("settles", "sent"),
     ("does", "Answered", 0), ("authorises", "d1"), ("settles", "unknown"), ("passes", HOUR, 0)],
    [("passes", HOUR, 0), ("authorises", "d1"), ("settles", "simulated")],
    [("passes", HOUR, 0), ("authorises", "d1"), ("settles", "refused")],
    # Worth no further try: for its channel, or because its action is over by then.
    [("passes", HOUR, 0), ("authorises", "d1"), ("passes", 2 * DAY, 0), ("settles", "retry")],
    [("passes", HOUR, 0), ("authorises", "d1"), ("takes", "over"), ("passes", DAY, 0), ("settles", "retry")],
    # Worth nothing after its deadline; and the next channel, where the first one is down.
    [("does", "Hurried", 0), ("passes", 2 * HOUR, 0)],
    [("does", "Hurried", 0), ("authorises", "d1"), ("passes", 2 * HOUR, 0), ("settles", "retry")],
    # Stops, opt-outs and gates.
    [("does", "Bought", 0)],
    [("passes", HOUR, 0), ("does", "Bought", 0)],
    [("passes", 30 * MINUTE, 0), ("says", False), ("passes", HOUR, 0), ("says", True)],
    [("passes", HOUR, 0), ("says", False), ("passes", 2 * HOUR, 0)],
    [("passes", HOUR, 3 * HOUR)],
    # Pauses.
    [("takes", "paused"), ("passes", HOUR, 0), ("does", "Again", 0), ("takes", "live")],
    [("takes", "paused"), ("passes", HOUR, 0), ("does", "Bought", 0)],
    [("passes", HOUR, 0), ("takes", "paused"), ("authorises", "d1"), ("takes", "live"), ("passes", 3 * HOUR, 0)],
    [("takes", "no letters"), ("passes", HOUR, 0), ("takes", "live")],
    # Two customers turn out to be one.
    [("absorbs", "wait"), ("passes", HOUR, 0)],
    [("does", "Bought", 0), ("absorbs", "walks")],
    [("absorbs", "letter"), ("absorbs", "letter that leaves")],
    # A receipt to an address that another profile counts for; the room is asked for, and given.
    [("does", "Paid", 0), ("authorises", "d1"), ("room", True), ("authorises", "d1"), ("settles", "sent")],
    # Several ways at once: the first to the join, a way out of all of them, and what ends a run with its branches.
    [("does", "Parted", 0), ("passes", 3 * HOUR, 0)],
    [("says", True), ("does", "Parted", 0), ("passes", 4 * HOUR, 0)],
    [("does", "Parted", 0), ("does", "Ended exit", 0)],
    [("does", "Parted", 0), ("does", "Met", 0)],
    [("does", "Parted", 0), ("says", False), ("passes", HOUR, 0)],
    [("takes", "no letters"), ("does", "Parted", 0), ("passes", 4 * HOUR, 0)],
    # So many ended runs that the oldest are forgotten.
    [("does", "Seen", 0), ("does", "Told", 0), ("does", "Bought", 0)] * 70,
    [("passes", HOUR, 0), ("authorises", "d1"), ("settles", "sent"), ("passes", 3 * HOUR, 0), ("authorises", "d1"),
     ("settles", "sent"), ("passes", HOUR, 0)] + [("does", "Seen", 0)] * 70,
]  # fmt: skip


def test_every_arrow_of_the_tables_is_taken(monkeypatch: pytest.MonkeyPatch):
    taken: set[tuple[str, str, str]] = set()
    after = Life.after

    def noted(self: Life, state: str, event: str) -> str:
        taken.add((self.of, state, event))
        return after(self, state, event)

    monkeypatch.setattr(Life, "after", noted)
    for moves in STORIES:
        story = Story()
        story.does("Told")
        for move in moves:
            happens(story, move)
    arrows = {(life.of, *arrow) for life in (SEND, RUN) for arrow in life.arrows}
    assert sorted(arrows - taken) == []
