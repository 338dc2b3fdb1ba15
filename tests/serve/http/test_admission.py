"""Admission control: which requests are let in when there are many, and which answers are delayed."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.errors import Overloaded
from serve.http.admission import (
    LOOKED_INTO,
    NEVER_SHED,
    SHEDDABLE,
    Admission,
    ArrivingBodies,
    ArrivingBody,
    InFlight,
    Limit,
    may_name,
)

LIMITS = (SHEDDABLE, LOOKED_INTO, NEVER_SHED)


def test_what_may_be_shed_is_turned_away_first_and_what_may_not_last():
    in_flight = InFlight()
    for limit in LIMITS:
        while in_flight.requests < limit.requests_max:
            in_flight.enter(limit, 0)
        assert not in_flight.is_over(limit)
        with pytest.raises(Overloaded):
            in_flight.enter(limit, 0)
    assert [in_flight.is_over(limit) for limit in LIMITS] == [True, True, False]


def test_while_there_is_room_even_the_largest_is_let_in():
    in_flight = InFlight()
    with in_flight.enter(SHEDDABLE, 10), in_flight.enter(SHEDDABLE, 2 * SHEDDABLE.bytes_max), pytest.raises(Overloaded):
        in_flight.enter(SHEDDABLE, 1)
    with in_flight.enter(SHEDDABLE, 2 * SHEDDABLE.bytes_max):
        assert not in_flight.is_over(SHEDDABLE)
    assert in_flight.bytes == 0


@given(st.lists(st.tuples(st.sampled_from(LIMITS), st.integers(0, 1 << 20)), max_size=60))
def test_what_left_is_forgotten_and_a_line_is_crossed_by_one_request_at_most(asked):
    in_flight, inside = InFlight(), []
    for limit, size in asked:
        try:
            inside.append(in_flight.enter(limit, size))
        except Overloaded:
            continue
        assert len(inside) == 1 or in_flight.bytes - size < limit.bytes_max
    for place in inside:
        with place:
            pass
    assert (in_flight.requests, in_flight.bytes) == (0, 0)


def test_where_bodies_come_too_slowly_for_all_the_first_to_come_goes_first():
    arriving, gone = ArrivingBodies(Limit(3, 100)), []
    for name in "abcd":
        arriving.enter(partial(gone.append, name))
    assert (gone, arriving.requests) == (["a"], 3)
    last = arriving.enter(partial(gone.append, "e"))
    last.grow(100)
    assert (gone, arriving.bytes) == (["a", "b"], 100)
    last.grow(101)
    assert (gone, arriving.requests, arriving.bytes) == (["a", "b", "c", "d"], 1, 101)  # the only one may be too large
    with last:
        pass
    assert (arriving.requests, arriving.bytes) == (0, 0)


class ArrivingBodiesMachine(RuleBasedStateMachine):
    """Bodies come, grow, and leave: they are never over their limit, and none that stays is forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.arriving, self.sizes, self.number = ArrivingBodies(Limit(4, 1_000)), dict[int, int](), 0
        self.arrivals: dict[int, ArrivingBody] = {}

    @rule()
    def come(self):
        self.number += 1
        number = self.number
        self.sizes[number] = 0
        self.arrivals[number] = self.arriving.enter(lambda: self.sizes.pop(number))

    @precondition(lambda self: self.arrivals)
    @rule(data=st.data(), more=st.integers(1, 600))
    def grow(self, data, more):
        number = data.draw(st.sampled_from(sorted(self.arrivals)))
        if number in self.sizes:
            self.sizes[number] += more
        self.arrivals[number].grow(self.arrivals[number].size + more)

    @precondition(lambda self: self.arrivals)
    @rule(data=st.data())
    def leave(self, data):
        number = data.draw(st.sampled_from(sorted(self.arrivals)))
        with self.arrivals.pop(number):
            pass
        self.sizes.pop(number, None)

    @invariant()
    def it_is_within_its_line(self):
        assert (self.arriving.requests, self.arriving.bytes) == (len(self.sizes), sum(self.sizes.values()))
        assert len(self.sizes) <= 4 and (len(self.sizes) == 1 or self.arriving.bytes <= 1_000)


TestArrivingBodies = ArrivingBodiesMachine.TestCase


@pytest.mark.parametrize(
    ("body", "may"),
    [
        (b'{"event":"Product Viewed"}', False),
        (b'{"batch":[{"event":"Product Viewed"},{"event":"Order Completed"}]}', True),
        (b'{"event":"Order\\u0020Completed"}', True),
        ('{"event":"Käufe"}'.encode(), True),
        (b'{"event":"K\\u00e4ufe"}', True),
    ],
)
def test_a_body_may_name_an_event_however_it_is_written(body: bytes, may: bool):
    assert may_name(body, frozenset(("Order Completed", "Käufe"))) is may


def test_whoever_sends_what_is_of_no_use_waits_for_the_answer_only_where_many_do():
    async def story() -> tuple[int, bool]:
        admission, answered = Admission(), 0
        while True:
            try:
                await asyncio.wait_for(admission.hold_faulty(), 0.05)
                answered += 1
            except TimeoutError:
                break
        await asyncio.sleep(0.1)
        await asyncio.wait_for(admission.hold_faulty(), 0.05)
        return answered, admission.requests == 0

    answered, is_empty = asyncio.run(story())
    assert 50 <= answered < 200 and is_empty
