"""Who is let in when it gets crowded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Overloaded
from serve.admission import LOOKED_INTO, NEVER_SHED, SHEDDABLE, Admission, may_name

LINES = (SHEDDABLE, LOOKED_INTO, NEVER_SHED)


def test_what_may_be_shed_is_turned_away_first_and_what_may_not_last():
    house = Admission()
    for line in LINES:
        while house.requests < line.requests_max:
            house.enter(line, 0)
        assert not house.is_over(line)
        with pytest.raises(Overloaded):
            house.enter(line, 0)
    assert [house.is_over(line) for line in LINES] == [True, True, False]


def test_bytes_count_as_they_are_told_and_as_they_come():
    house = Admission()
    first = house.enter(SHEDDABLE, SHEDDABLE.bytes_max - 10)
    with house.enter(SHEDDABLE, 4) as place:
        place.grow(12)
        with pytest.raises(Overloaded):
            place.grow(13)
        with pytest.raises(Overloaded):
            house.enter(SHEDDABLE, 0)
    assert (house.requests, house.bytes) == (1, SHEDDABLE.bytes_max - 10)
    with first:
        pass
    assert (house.requests, house.bytes) == (0, 0)


def test_while_there_is_room_even_the_largest_is_let_in():
    house = Admission()
    with house.enter(SHEDDABLE, 10), house.enter(SHEDDABLE, 2 * SHEDDABLE.bytes_max), pytest.raises(Overloaded):
        house.enter(SHEDDABLE, 1)
    with house.enter(SHEDDABLE, 2 * SHEDDABLE.bytes_max) as place:
        place.grow(3 * SHEDDABLE.bytes_max)
        assert not house.is_over(SHEDDABLE)
    assert house.bytes == 0


@given(st.lists(st.tuples(st.sampled_from(LINES), st.integers(0, 1 << 20)), max_size=60))
def test_what_left_is_forgotten_and_a_line_is_crossed_by_one_request_at_most(asked):
    house, inside = Admission(), []
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
