"""Random journeys of every kind of step × random streams × crashes. What must hold of each of them:

- each run waits for its own timer or for its branches, or has ended, after every turn; and all have ended in the end;
- no step sends twice, and nothing goes to a provider twice;
- a stopped run sends nothing more, whatever came within the same millisecond, or late;
- a crash anywhere changes nothing of all this, nor of what would have been without it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import crashing
from support.crashing import Crashing, Kept, Step
from support.faulty_store import Fuse
from support.random_journeys import STOPS, programs, shop, streams
from support.world import START_MS, compiled

from engine.inputs import Event
from engine.journeys import life
from engine.profile import Profile, Run
from engine.vocabulary import DAY_MS, HOUR_MS, MINUTE_MS

LOOKS_MS = (0, 1, MINUTE_MS, HOUR_MS, 6 * HOUR_MS, DAY_MS, 2 * DAY_MS + HOUR_MS, 10 * DAY_MS)
KEPT: list[Kept] = [crashing.nothing, crashing.everything, crashing.only_even, crashing.one_less]
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
MANY = settings(
    max_examples=int(os.environ.get("EXAMPLES", "200")), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


class Told(Crashing):
    """A story in which each branch is known for the run that it is of, even when it is forgotten."""

    def __init__(self, steps: list[Any]) -> None:
        super().__init__(compiled(shop(steps)), shards=2, says=self._answer)
        self.parents: dict[str, str] = {}
        self.handed: dict[str, int] = {}

    def _answer(self, message: dict[str, Any]) -> str:
        self.handed[message["send"]] = message["at_ms"]
        number = int(message["send"][:2], 16)
        if number < 40 and self.said[message["send"], "retry"] == 0:
            return "retry"
        return "refused" if number % 4 == 3 else "sent"

    def looks(self, at_ms: int) -> None:
        """Move the clock, and look at every run."""
        self.advance(at_ms)
        assert self.broken() == [], "each timer of a run is in the index, and no other"
        for profile in self.profiles().values():
            for run in profile.runs:
                self.parents[run.id] = run.parent
            look_at(profile)

    def ends(self) -> None:
        """Move the clock until nothing is pending."""
        self.drain()
        for profile in self.profiles().values():
            assert [run.id for run in profile.runs if run.state == "active"] == [], "every run ends"
            assert profile.sends == []

    def root(self, run: str) -> str:
        """The run that entered the journey."""
        while self.parents.get(run):
            run = self.parents[run]
        return run


def look_at(profile: Profile) -> None:
    """What must hold of the runs of a profile between two turns."""
    active = {run.id: run for run in profile.runs if run.state == "active"}
    for run in active.values():
        state, branches = life.state_of(run), [each for each in active.values() if each.parent == run.id]
        assert state in ("waiting", "joining"), state
        assert (run.due_ms > 0) == (state == "waiting"), "an open wait has one timer, and a join none"
        assert run.branches == len(branches), "a join knows its branches"
        assert not run.parent or life.state_of(active[run.parent]) == "joining", "and a branch has its run"
        assert not list(stops_after(profile, run)), "a stop has ended it"


def stops_after(profile: Profile, run: Run) -> Iterator[Any]:
    """The stops that happened after what started a run, though they were told in the same millisecond, or before it."""
    for event in profile.history if run.tier == "promotional" else ():
        if event.name == STOPS and (event.at_ms, event.seq) > run.triggered:
            yield event


def story(stream: list[Event]) -> list[Step]:
    def stage(here: Crashing) -> None:
        here.stage(stream)

    looks: list[Step] = [lambda here, ms=ms: here.looks(START_MS + ms) for ms in LOOKS_MS]  # type: ignore[misc, attr-defined]
    return [lambda here: here.advance(START_MS - 1), stage, *looks, lambda here: here.ends()]  # type: ignore[attr-defined]


def told(steps: list[Any], stream: list[Event], fuse: Fuse | None = None, kept: Kept = crashing.nothing) -> Told:
    here = Told(steps)
    here.tell(story(stream), fuse or Fuse(), kept)
    assert here.dead() == [], "no turn fails"
    nothing_twice(here)
    nothing_after_a_stop(here)
    return here


def nothing_twice(here: Told) -> None:
    decided: Counter[str] = Counter()
    for profile in here.profiles():
        entries = [entry for entry in here.timeline(profile) if entry.outcome == "decided"]
        decided.update(entry.detail["send"] for entry in entries)
    assert all(count == 1 for count in decided.values()), "no step runs twice"
    assert all(count == 1 for (_, said), count in here.said.items() if said == "sent"), "nothing goes out twice"


def nothing_after_a_stop(here: Told) -> None:
    """What a provider was being given when the stop came may arrive; nothing is decided or handed over after it."""
    for profile in here.profiles():
        stopped: dict[str, int] = {}
        for entry in here.timeline(profile):
            root = here.root(entry.run)
            if entry.kind == "stop" and entry.outcome == "stopped":
                stopped[entry.run] = entry.at_ms
            assert entry.outcome != "decided" or root not in stopped, "a stopped run decides nothing more"
            if entry.outcome == "sent" and root in stopped:
                assert here.handed[entry.detail["send"]] <= stopped[root], "and hands nothing more over"


@FEW
@given(programs, streams)
def test_every_run_has_its_timer_or_has_ended_and_nothing_is_sent_after_a_stop(steps: list[Any], stream: list[Event]):
    told(steps, stream)


@FEW
@given(programs, streams, st.integers(1, 120), st.booleans(), st.sampled_from(KEPT))
def test_a_crash_anywhere_changes_nothing(steps: list[Any], stream: list[Event], at: int, after: bool, kept: Kept):
    calm = told(steps, stream)
    crashed = told(steps, stream, Fuse(at, after=after), kept)
    assert crashed.differences(calm) == []


@pytest.mark.slow
@MANY
@given(programs, streams, st.integers(1, 400), st.booleans(), st.sampled_from(KEPT))
def test_many_more_of_them(steps: list[Any], stream: list[Event], at: int, after: bool, kept: Kept):
    assert told(steps, stream, Fuse(at, after=after), kept).differences(told(steps, stream)) == []
