"""Who is next at a provider, and how much may be fetched for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from actors.delivery import pacing
from actors.delivery.pacing import NotBegun, Pacer


def run(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), 10))


class Guests:
    """People who wait for a turn and stay until they are let go; what became of each."""

    def __init__(self, at: Pacer, patience_s: float | None = None) -> None:
        self.pacer, self.patience_s = at, patience_s
        self.began: list[int] = []
        self.sent_back: list[int] = []
        self.leave = [asyncio.Event() for _ in range(9)]

    async def come(self, number: int) -> None:
        try:
            async with self.pacer.turn(self.patience_s):
                self.began.append(number)
                await self.leave[number].wait()
        except NotBegun:
            self.sent_back.append(number)


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_each_gets_a_turn_in_order_of_arrival_and_no_more_than_there_are_places():
    async def story() -> None:
        guests = Guests(Pacer(2))
        tasks = [asyncio.create_task(guests.come(number)) for number in range(5)]
        await settled()
        assert guests.began == [0, 1]
        guests.leave[1].set()
        await settled()
        assert guests.began == [0, 1, 2]
        for each in guests.leave:
            each.set()
        await asyncio.gather(*tasks)
        assert guests.began == [0, 1, 2, 3, 4] and guests.sent_back == []

    run(story)


def test_whoever_waits_too_long_is_sent_back_and_takes_no_place_along():
    async def story() -> None:
        one = Pacer(1)
        patient, hasty = Guests(one), Guests(one, patience_s=0)
        first = asyncio.create_task(patient.come(0))
        await settled()
        await asyncio.gather(*(hasty.come(number) for number in range(4)))
        assert hasty.sent_back == [0, 1, 2, 3]
        patient.leave[0].set()
        await first
        for number in range(1, 4):
            patient.leave[number].set()
            await patient.come(number)
        assert patient.began == [0, 1, 2, 3]

    run(story)


def test_a_turn_that_comes_with_a_cancellation_goes_to_the_next():
    async def story() -> None:
        guests = Guests(Pacer(1))
        tasks = [asyncio.create_task(guests.come(number)) for number in range(3)]
        await settled()
        guests.leave[0].set()
        await asyncio.sleep(0)  # the second one is given its turn and has not begun
        tasks[1].cancel()
        await settled()
        assert guests.began in ([0, 2], [0, 1, 2])
        guests.leave[2].set()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(story)


def test_a_gate_that_closes_sends_back_who_waits_and_lets_who_began_end():
    async def story() -> None:
        guests = Guests(Pacer(1))
        tasks = [asyncio.create_task(guests.come(number)) for number in range(3)]
        await settled()
        guests.pacer.close()
        await settled()
        assert guests.began == [0] and guests.sent_back == [1, 2]
        assert await guests.pacer.share_of_room(1) == 0
        guests.leave[0].set()
        await asyncio.gather(*tasks)
        with pytest.raises(NotBegun):
            async with guests.pacer.turn():
                pass

    run(story)


@pytest.mark.parametrize(
    ("takes_s", "places", "room"),
    [(2.0, 1, 2), (30.0, 1, 2), (0.5, 1, 10), (0.0, 1, 256), (2.0, 8, 20), (30.0, 8, 9)],
)
def test_what_is_fetched_can_be_sent_soon(monkeypatch: pytest.MonkeyPatch, takes_s: float, places: int, room: int):
    clock = [0.0]
    monkeypatch.setattr(pacing, "stopwatch", lambda: clock[0])

    async def story() -> None:
        one = Pacer(places)
        for _ in range(60):
            async with one.turn():
                clock[0] += takes_s
        assert abs(one.room - room) <= 1
        one.fetched(one.room)
        asking = asyncio.create_task(one.share_of_room(3))
        await settled()
        assert not asking.done()
        one.done()
        assert await asking == 1

    run(story)
