"""Random steps with random fallbacks, told random outcomes: one message at a time, each channel once, never after a
stop, and every run has one timer or has ended."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.world import HOUR, MINUTE, START_MS, action, compiled, document

from engine.audit import Entry
from engine.catalog.compiled import Catalog
from engine.effects import Note
from engine.inputs import Authorise, ConsentChange, Event, Settle, TimersDue
from engine.profile import Profile
from engine.turn import handle
from engine.vocabulary import NEVER_MS

CHANNELS = ("one", "two", "three")
WORDS = ["no_address", "no_consent", "held", "refused", "bounced", {"down": "20m"}, {"silent": "4h"}, {"bounced": "2h"}]


def _one_of_each(words: list[Any]) -> bool:
    return sum("bounced" in word for word in words) < 2


REASONS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6, unique_by=str).filter(_one_of_each)


@st.composite
def catalogs(draw: st.DrawFn) -> Catalog:
    """Three channels, one step with some of them, and what is done about what happens."""
    choose: dict[str, Any] = {}
    if by := draw(st.sampled_from([None, "order", "last_engaged", "cheapest"])):
        choose["by"] = by
    if actions := draw(st.sampled_from([None, ["a", "b"]])):
        choose["actions"] = actions
    send = {"channels": draw(st.permutations(CHANNELS)), "on_held": draw(st.sampled_from(["continue", "wait", "exit"]))}
    send |= ({"choose": choose} if choose else {}) | ({} if actions else {"action": "a"})
    if reasons := draw(st.none() | REASONS):
        send["fallback"] = {"on": reasons}
    if draw(st.booleans()):
        send["deadline"] = draw(st.sampled_from(["10m", "6h"]))
    guards = draw(st.sampled_from([{}, {"touches": 1}, {"touches": 2}, {"deadline": "5h"}]))
    letters = [action(name, channels=["sms"]) for name in ("a", "b")]
    for letter in letters:
        letter["channels"] = list(CHANNELS)
        letter["variants"] = [{"id": "a", **{channel: {"text": "hello"} for channel in CHANNELS}}]
    journey = {
        "id": "way",
        "tier": "promotional",
        "trigger": {"event": "Started"},
        "guards": guards,
        "steps": [{"send": send}, {"wait": {"for": "1h"}}],
    }
    return compiled(
        document(
            actions=letters,
            journeys=[journey],
            channels={
                "channels": [
                    {"id": "web", "provider": "none"},
                    {"id": "one", "provider": "sandbox", "address": "device_id"},
                    {"id": "two", "provider": "sandbox", "cost": 2.0},
                    {"id": "three", "provider": "sandbox", "cost": 1.0},
                ]
            },
            consent={"purposes": {"marketing": {"channels": list(CHANNELS), "default": True}}, "events": []},
            policies={
                "stops": [{"id": "bought", "on": "Bought"}],
                "caps": [{"id": "two", "limit": 1, "per": "1d", "match": {"channel": "two"}}],
            },
        )
    )


MOVES = st.one_of(
    st.tuples(st.just("passes"), st.sampled_from([MINUTE, 25 * MINUTE, 2 * HOUR, 5 * HOUR, 30 * HOUR])),
    st.tuples(st.just("leaves"), st.sampled_from(["sent", "refused", "unknown", "retry", "not_begun"])),
    st.tuples(st.just("is told"), st.sampled_from(["Email Opened", "Email Bounced", "Push Notification Tapped"])),
    st.tuples(st.just("does"), st.sampled_from(["Started", "Page Viewed", "Bought"])),
    st.tuples(st.just("says"), st.sampled_from(CHANNELS), st.booleans()),
)


class Person:
    """One customer, and what the timeline has of them."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog, self.profile, self.now_ms = catalog, Profile("a" * 30), START_MS
        self.entries: list[Entry] = []
        self.count = 0

    def tell(self, told: Any) -> None:
        effects = handle(self.profile, told, self.catalog, self.now_ms)
        self.entries += [effect.entry for effect in effects if isinstance(effect, Note)]

    def does(self, name: str, **properties: Any) -> None:
        self.count += 1
        event = Event(
            kind="track",
            name=name,
            at_ms=self.now_ms,
            received_at_ms=self.now_ms,
            message_id=f"m{self.count}",
            user_id="ada",
            properties=properties,
        )
        self.tell(event)

    def move(self, move: tuple[Any, ...]) -> None:
        match move:
            case ("passes", ms):
                end_ms = self.now_ms + ms
                while due := [run.due_ms for run in self.profile.runs if 0 < run.due_ms <= end_ms]:
                    self.now_ms = max(self.now_ms, min(due))
                    self.tell(TimersDue(at_ms=min(due)))
                self.now_ms = end_ms
            case ("leaves", outcome):
                for send in list(self.profile.sends):
                    self.tell(Authorise(send_id=send.id, dispatcher="d"))
                    self.tell(Settle(send_id=send.id, outcome=outcome))
            case ("is told", name):
                left = [row.send for row in self.profile.outcomes if row.outcome in ("sent", "unknown")]
                self.does(name, send_id=left[-1] if left else "nothing")
            case ("does", name):
                self.does(name)
            case ("says", channel, granted):
                change = ConsentChange(
                    purpose="marketing", channel=channel, granted=granted, at_ms=self.now_ms, source="form"
                )
                self.tell(change)

    def check(self) -> None:
        for run in self.profile.runs:
            assert (run.state == "active") == (0 < run.due_ms < NEVER_MS), "a run has a timer, or has ended"
            decided = [entry for entry in self.entries if entry.run == run.id and entry.outcome == "decided"]
            channels = [entry.channel for entry in decided]
            assert len(set(channels)) == len(channels), "each channel is tried once"
            stopped = [place for place, each in enumerate(self.entries) if each.run == run.id and each.kind == "stop"]
            later = self.entries[stopped[0] :] if stopped else []
            assert not [each for each in later if each.run == run.id and each.outcome == "decided"], "a stop is final"
            open_sends = [send for send in self.profile.sends if send.run == run.id]
            assert len(open_sends) <= 1 or not run.awaits, "one message at a time"
            journey = self.catalog.journeys["way"]
            assert journey.guards.touches is None or run.touches <= journey.guards.touches


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(catalogs(), st.lists(MOVES, min_size=3, max_size=14))
def test_a_ladder_is_climbed_one_rung_at_a_time(catalog: Catalog, moves: list[tuple[Any, ...]]):
    person = Person(catalog)
    person.does("Started")
    for move in moves:
        person.move(move)
        person.check()
    for _ in range(12):
        person.move(("passes", 40 * 24 * HOUR))
    assert not [run for run in person.profile.runs if run.state == "active"], "every run ends"
