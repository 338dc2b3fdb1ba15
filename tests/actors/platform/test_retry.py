"""Pauses grow, are cut at random and end: all of it without a clock."""

from __future__ import annotations

import asyncio
import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.platform import retry
from actors.platform.retry import Backoff, Pauses, repeated
from engine.errors import InvalidInput, NotReady

SECONDS = st.floats(0.001, 10)
DRAWN = st.floats(0, 1, exclude_max=True)


@given(SECONDS, SECONDS, st.integers(1, 10_000), DRAWN)
def test_a_pause_doubles_up_to_the_most_and_is_cut_by_half_of_it_at_most(
    first_s: float, most_s: float, failures: int, drawn: float
):
    backoff = Backoff(first_s, most_s)
    whole_s = min(most_s, first_s * 2 ** min(failures - 1, 60))
    assert whole_s / 2 <= backoff.pause_s(failures, drawn) <= whole_s
    assert backoff.pause_s(failures, 0.0) == whole_s


@given(SECONDS, SECONDS, st.floats(0, 30), st.lists(DRAWN, min_size=1))
def test_the_pauses_of_an_effort_take_all_of_its_patience_and_no_more(
    first_s: float, most_s: float, patience_s: float, drawn: list[float]
):
    draws = itertools.cycle(drawn)
    found = list(Backoff(first_s, most_s, patience_s).pauses(lambda: next(draws)))
    assert math.isclose(sum(found), patience_s, abs_tol=1e-6)
    assert all(0 < pause_s <= most_s for pause_s in found)


def test_without_an_end_to_its_patience_an_effort_goes_on():
    pauses = Backoff(first_s=0.1, most_s=1.0).pauses(lambda: 0.0)
    assert list(itertools.islice(pauses, 6)) == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_who_failed_is_left_alone_ever_longer_and_nobody_else_is():
    pauses = Pauses(Backoff(first_s=1.0, most_s=3.0), lambda: 0.0)
    assert not pauses.has("ada", now_s=100)
    assert [pauses.lengthen("ada", now_s=100) for _ in range(4)] == [1.0, 2.0, 3.0, 3.0]
    assert pauses.has("ada", now_s=102.9) and not pauses.has("ada", now_s=103) and not pauses.has("bob", now_s=100)
    pauses.end("ada")
    assert not pauses.has("ada", now_s=100) and pauses.lengthen("ada", now_s=100) == 1.0


class Script:
    """Fails as often as it is told to, then answers; remembers how long was waited."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *faults: Exception) -> None:
        self.faults, self.asked, self.waited_s = list(faults), 0, 0.0
        monkeypatch.setattr(retry.asyncio, "sleep", self._sleep)

    async def _sleep(self, pause_s: float) -> None:
        self.waited_s += pause_s

    async def __call__(self) -> str:
        self.asked += 1
        if self.faults:
            raise self.faults.pop(0)
        return "at last"


def test_what_fails_is_repeated_until_it_is_answered(monkeypatch: pytest.MonkeyPatch):
    ask = Script(monkeypatch, NotReady(), NotReady())
    assert asyncio.run(repeated(ask, Backoff(1.0, 1.0), NotReady)) == "at last"
    assert ask.asked == 3 and 1.0 <= ask.waited_s <= 2.0


def test_patience_ends_with_the_last_fault(monkeypatch: pytest.MonkeyPatch):
    ask = Script(monkeypatch, *[NotReady()] * 50, NotReady("the last one"), NotReady("never asked"))
    with pytest.raises(NotReady):
        asyncio.run(repeated(ask, Backoff(1.0, 1.0, patience_s=5.0), NotReady))
    assert ask.waited_s == pytest.approx(5.0) and 6 <= ask.asked <= 11


def test_another_fault_ends_an_effort_at_once(monkeypatch: pytest.MonkeyPatch):
    ask = Script(monkeypatch, NotReady(), InvalidInput("is wrong"))
    with pytest.raises(InvalidInput):
        asyncio.run(repeated(ask, Backoff(1.0, 1.0), NotReady))
    assert ask.asked == 2
