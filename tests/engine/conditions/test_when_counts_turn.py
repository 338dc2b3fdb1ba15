"""The instant at which time alone changes what a condition says is the very first one, for any history."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.world import compiled, document

from engine.conditions.event_counts import EventCount
from engine.conditions.predicates import build
from engine.profile import Profile
from engine.recent_events import Happened
from engine.view import View

CATALOG = compiled(document())
NOW = 1_000
NAMES = st.sampled_from(["A", "B"])
EVENTS = st.lists(st.tuples(st.integers(NOW - 60, NOW + 3), NAMES), max_size=12)


@st.composite
def counts(draw: st.DrawFn) -> dict[str, Any]:
    body: dict[str, Any] = {"name": draw(NAMES), "within": draw(st.integers(1, 50))}
    least, most = draw(st.integers(0, 4)), draw(st.none() | st.integers(0, 4))
    bounds = ({"at_least": least} if least else {}) | ({"at_most": max(most, least)} if most is not None else {})
    if bounds:
        body["count"] = bounds
    if draw(st.booleans()):
        body["undone_by"] = {"name": draw(NAMES)}
    return body


@given(counts(), EVENTS)
def test_a_count_turns_at_the_instant_that_is_foretold_and_at_none_before_it(body: dict[str, Any], told: Any):
    profile = Profile("a" * 30)
    profile.history = [Happened(at_ms, seq, name, {}) for seq, (at_ms, name) in enumerate(sorted(told))]
    condition, count = build({"event": body}), EventCount.of(body)

    def holds(at_ms: int) -> bool:
        return condition(View(profile, CATALOG, at_ms))

    now = holds(NOW)
    first = next((at_ms for at_ms in range(NOW, NOW + 120) if holds(at_ms) != now), None)
    foretold = count.turns_ms(View(profile, CATALOG, NOW))
    assert foretold is None or foretold > NOW
    if first is not None:
        assert foretold is not None
        assert foretold <= first
    asked, hops = foretold, 0
    while asked is not None and holds(asked) == now and hops < 20:  # each look finds the next instant
        asked, hops = count.turns_ms(View(profile, CATALOG, asked)), hops + 1
    assert asked == first
