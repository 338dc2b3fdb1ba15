"""Which events of a batch wait for which."""

from __future__ import annotations

import pytest

from actors.transport.order_of_a_batch import waves
from engine.inputs import Event


def event(user: str = "", anonymous: str = "", email: str = "") -> Event:
    others = (("email", email),) if email else ()
    return Event(
        kind="track", name="", at_ms=0, received_at_ms=0, user_id=user, anonymous_id=anonymous, identifiers=others
    )


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([("A", event(user="ada"))], [[0]]),
        ([("A", event(user="ada")), ("B", event(user="bea")), ("A", event(user="ada"))], [[0, 1, 2]]),
        # A guest states an address, and orders.
        ([("E", event(anonymous="a", email="e")), ("V", event(anonymous="a"))], [[0], [1]]),
        # What comes after the waiting one, at its home, waits too; a stranger does not.
        (
            [
                ("E", event(anonymous="a", email="e")),
                ("V", event(anonymous="a")),
                ("B", event(user="bea")),
                ("V", event(anonymous="a")),
                ("E", event(email="e")),
            ],
            [[0, 2, 4], [1, 3]],
        ),
        (
            [("V", event(anonymous="a")), ("U", event(user="ada", anonymous="a")), ("V", event(anonymous="a"))],
            [[0], [1], [2]],
        ),
        # Both are known to live at one place.
        ([("U", event(anonymous="a")), ("U", event(user="ada", anonymous="a"))], [[0, 1]]),
    ],
)
def test_what_shares_an_identifier_with_an_earlier_event_of_another_home_waits(
    told: list[tuple[str, Event]], expected: list[list[int]]
):
    found = waves([(index, home, event) for index, (home, event) in enumerate(told)])
    assert [[index for index, _, _ in wave] for wave in found] == expected
