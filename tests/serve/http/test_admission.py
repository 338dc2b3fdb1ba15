"""Who is let in when it gets crowded."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.errors import Overloaded
from serve.http.admission import LOOKED_INTO, NEVER_SHED, SHEDDABLE, Admission, Arrival, House, Line, Porch, may_name

LINES = (SHEDDABLE, LOOKED_INTO, NEVER_SHED)


def test_what_may_be_shed_is_turned_away_first_and_what_may_not_last():
    house = House()
    for line in LINES:
        while house.requests < line.requests_max:
            house.enter(line, 0)
        assert not house.is_over(line)
        with pytest.raises(Overloaded):
            house.enter(line, 0)
    assert [house.is_over(line) for line in LINES] == [True, True, False]


def test_while_there_is_room_even_the_largest_is_let_in():
    house = House()
    with house.enter(SHEDDABLE, 10), house.enter(SHEDDABLE, 2 * SHEDDABLE.bytes_max), pytest.raises(Overloaded):
        house.enter(SHEDDABLE, 1)
    with house.enter(SHEDDABLE, 2 * SHEDDABLE.bytes_max):
        assert not house.is_over(SHEDDABLE)
    assert house.bytes == 0


@given(st.lists(st.tuples(st.sampled_from(LINES), st.integers(0, 1 << 20)), max_size=60))
def test_what_left_is_forgotten_and_a_line_is_crossed_by_one_request_at_most(asked):
    house, inside = House(), []
    for line, size in asked:
        try:
            inside.append(house.enter(line, size))
        except Overloaded:
            continue
        assert len(inside) == 1 or house.bytes - size < line.bytes_max
    for place in inside:
        with place:
            pass
    assert (house.requests, house.bytes) == (0, 0)


def test_where_bodies_come_too_slowly_for_all_the_first_to_come_goes_first():
    porch, gone = Porch(Line(3, 100)), []
    for name in "abcd":
        porch.enter(partial(gone.append, name))
    assert (gone, porch.requests) == (["a"], 3)
    last = porch.enter(partial(gone.append, "e"))
    last.grow(100)
    assert (gone, porch.bytes) == (["a", "b"], 100)
    last.grow(101)
    assert (gone, porch.requests, porch.bytes) == (["a", "b", "c", "d"], 1, 101)  # the only one may be too large
    with last:
        pass
    assert (porch.requests, porch.bytes) == (0, 0)


class PorchMachine(RuleBasedStateMachine):
    """Bodies come, grow, and leave: the porch is never over its line, and forgets nobody who stays."""

    def __init__(self) -> None:
        super().__init__()
        self.porch, self.sizes, self.number = Porch(Line(4, 1_000)), dict[int, int](), 0
        self.arrivals: dict[int, Arrival] = {}

    @rule()
    def come(self):
        self.number += 1
        number = self.number
        self.sizes[number] = 0
        self.arrivals[number] = self.porch.enter(lambda: self.sizes.pop(number))

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
        assert (self.porch.requests, self.porch.bytes) == (len(self.sizes), sum(self.sizes.values()))
        assert len(self.sizes) <= 4 and (len(self.sizes) == 1 or self.porch.bytes <= 1_000)


TestPorch = PorchMachine.TestCase


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
        house, answered = Admission(), 0
        while True:
            try:
                await asyncio.wait_for(house.hold_faulty(), 0.05)
                answered += 1
            except TimeoutError:
                break
        await asyncio.sleep(0.1)
        await asyncio.wait_for(house.hold_faulty(), 0.05)
        return answered, house.requests == 0

    answered, is_empty = asyncio.run(story())
    assert 50 <= answered < 200 and is_empty
