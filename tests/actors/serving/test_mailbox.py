"""Mailboxes keep a profile's order, are fair to the others, and are bounded for what may be shed."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.world import ID_KEY, action, compiled, document

from actors.platform.clock import WallClock
from actors.serving import intake
from actors.serving.mailbox import GROUP_MAX, PROFILE_MAX, Mailboxes
from actors.serving.shard_server import ShardServer
from actors.shard.shard import Shard
from actors.storage.memory_store import MemoryStore
from actors.transport.router import Router
from engine.errors import Overloaded
from engine.inputs import ConsentChange, Decide, Event, Exposure
from engine.seeds import profile_id

# -- the queue by itself


@given(st.lists(st.sampled_from("abcdefgh"), max_size=60), st.integers(1, 7), st.integers(0, 20), st.data())
def test_invariant_2_a_profiles_inputs_leave_once_and_in_the_order_in_which_they_came(
    arrivals, group_max, aged_turns, data
):
    mailboxes: Mailboxes[tuple[str, int]] = Mailboxes(group_max=group_max, aged_turns=aged_turns)
    left: defaultdict[str, list[int]] = defaultdict(list)

    def take() -> None:
        group = mailboxes.take()
        assert len(group) <= group_max
        for profile, number in group:
            left[profile].append(number)

    for number, profile in enumerate(arrivals):
        mailboxes.put(profile, (profile, number), is_urgent=data.draw(st.booleans()))
        if data.draw(st.booleans()):
            take()
    while len(mailboxes):
        take()
    assert mailboxes.take() == []
    assert left == {profile: [n for n, whose in enumerate(arrivals) if whose == profile] for profile in set(arrivals)}


@given(st.integers(0, 500), st.lists(st.integers(1, 300), min_size=1, max_size=8))
def test_behind_a_flood_an_input_of_somebody_else_is_in_the_next_group(before, floods):
    """Whatever waits for fewer profiles than a group holds, and however the group before it was filled."""
    mailboxes: Mailboxes[str] = Mailboxes()
    for _ in range(before):
        mailboxes.put("hot", "hot")
    mailboxes.take()
    for number, size in enumerate(floods):
        for _ in range(size):
            mailboxes.put(f"hot-{number}", "hot")
    mailboxes.put("ada", "ada")
    assert "ada" in mailboxes.take()


@given(st.integers(1, 40), st.integers(1, 10))
def test_behind_many_profiles_it_waits_one_group_more_for_each_groupful(profiles, group_max):
    mailboxes: Mailboxes[int] = Mailboxes(group_max=group_max)
    for _, number in itertools.product(range(5), range(profiles)):
        mailboxes.put(str(number), number)
    groups = -(-profiles // group_max)
    assert {number for _ in range(groups) for number in mailboxes.take()} == set(range(profiles))


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 60), st.integers(1, 9))
def test_the_last_of_a_busy_profile_waits_for_so_many_turns_and_what_came_before_it_however_many_keep_coming(
    waiting, group_max, aged_turns, a_group
):
    """By turns alone it would wait for one round of everybody who is new for each input that its profile has."""
    mailboxes: Mailboxes[str] = Mailboxes(group_max=group_max, aged_turns=aged_turns)
    for number in range(waiting - 1):
        mailboxes.put("busy", f"busy-{number}")
    mailboxes.put("busy", "last")
    new, turns, group = itertools.count(), 0, []
    while "last" not in group:
        for _ in range(a_group):
            mailboxes.put(f"new-{next(new)}", "new")
        group = mailboxes.take()
        turns += len(group)
    # At least half of each group is for what is old; groups are not cut where it has become so, nor where it leaves.
    assert turns <= aged_turns + 2 * waiting + 2 * group_max


@given(st.integers(2, 9), st.integers(0, 60), st.integers(10, 200), st.integers(1, 4))
def test_a_flood_of_one_that_has_become_old_still_leaves_room_in_each_group_for_those_who_are_new(
    group_max, aged_turns, flood, newcomers
):
    mailboxes: Mailboxes[str] = Mailboxes(group_max=group_max, aged_turns=aged_turns)
    for _ in range(flood):
        mailboxes.put("bot", "bot")
    new = min(newcomers, group_max // 2)
    while len(mailboxes):
        for number in range(new):
            mailboxes.put(f"new-{number}", "new")
        group = mailboxes.take()
        assert group.count("new") == new
        assert "bot" in group or not len(mailboxes)


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.booleans()), max_size=60), st.booleans())
def test_what_is_urgent_waits_for_the_group_at_hand_and_no_other_and_the_rest_for_one_urgent_group(arrivals, is_after):
    mailboxes: Mailboxes[bool] = Mailboxes()
    if is_after:  # whatever the group before was
        mailboxes.put("before", True, is_urgent=True)
        mailboxes.take()
    for profile, is_urgent in arrivals:
        mailboxes.put(profile, is_urgent, is_urgent=is_urgent)
    first, second = mailboxes.take(), mailboxes.take()
    urgent = sum(is_urgent for _, is_urgent in arrivals)
    if urgent and not is_after:
        assert first.count(True) == urgent, "a group of its own"
        assert len(first) + len(second) == len(arrivals)
    else:
        assert len(first) == len(arrivals)


def test_a_mailbox_is_full_with_what_waits_in_it_and_elsewhere():
    mailboxes: Mailboxes[int] = Mailboxes(profile_max=3, total_max=4)
    for number in range(2):
        mailboxes.put("ada", number)
    assert not mailboxes.is_full_for("ada") and mailboxes.is_full_for("ada", beside=1)
    mailboxes.put("ada", 2)
    assert mailboxes.is_full_for("ada") and not mailboxes.is_full_for("bob") and not mailboxes.is_full()
    mailboxes.put("bob", 3)
    assert mailboxes.is_full()
    mailboxes.take()
    assert not mailboxes.is_full() and not mailboxes.is_full_for("ada")


# -- a real shard behind its socket

CATALOG = compiled(
    document(
        actions=[action("offer", purpose="service", channels=["web"], placements=["home_hero"])],
        policies={
            "stops": [{"id": "purchase", "on": "Order Completed"}],
            "caps": [{"id": "hero", "limit": 1000, "per": "7d", "match": {"action": "offer"}}],
        },
    )
)


def home(user: str) -> str:
    return profile_id(ID_KEY, "user_id", user)


def event(user: str, number: int, name: str = "Product Viewed") -> tuple[str, Event]:
    now_ms = WallClock().now_ms()
    told = Event(
        kind="track",
        name=name,
        at_ms=now_ms,
        received_at_ms=now_ms,
        user_id=user,
        message_id=f"{name}-{number}",
        properties={"granted": False},
    )
    return home(user), told


def names(shard: Shard, user: str) -> list[str]:
    """Message ids in the order of arrival."""
    record = shard.record(home(user))
    happened = sorted((*shard.older(record.id), *record.history), key=lambda each: each.seq)
    return [each.message_id for each in happened]


class Held(ShardServer):
    """A shard whose groups run when the story says so; only the pace is the story's."""

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        self.groups = 0
        self.groups_max = 0.0

    def may_run(self, groups: float = math.inf) -> None:
        """So many more."""
        self.groups_max = self.groups + groups

    async def _one_group(self) -> None:
        while self.groups >= self.groups_max and not self._closing:
            await asyncio.sleep(0)
        self.groups += 1
        await super()._one_group()

    async def holds(self, frames: int) -> None:
        """Until as many requests have come in and are not answered."""
        while self._server.in_flight < frames:
            await asyncio.sleep(0)


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[Held, Router]]:
    path = str(folder / "shard")
    server = Held(Shard(0, MemoryStore(), CATALOG, WallClock()), path, [path])
    story = asyncio.current_task()
    task = asyncio.create_task(server.serve())
    task.add_done_callback(lambda done: done.exception() and story.cancel())
    while not (folder / "shard").exists():
        await asyncio.sleep(0)
    try:
        yield server, Router([path])
    finally:
        server.close()
        await task


def tell(story) -> None:
    asyncio.run(asyncio.wait_for(story, 30))


def test_a_hot_profile_is_refused_and_everybody_else_is_served(tmp_path: Path):
    async def story():
        async with serving(tmp_path) as (server, router):
            flood = [asyncio.create_task(router.ingest([event("bot", n)])) for n in range(1000)]
            await server.holds(PROFILE_MAX)
            others = [asyncio.create_task(router.ingest([event(f"u{n}", n)])) for n in range(100)]
            await server.holds(PROFILE_MAX + 100)
            server.may_run(groups=-(-101 // GROUP_MAX))
            assert await asyncio.gather(*others) == [["accepted"]] * 100
            server.may_run()
            results = await asyncio.gather(*flood, return_exceptions=True)
            taken = [f"Product Viewed-{n}" for n, result in enumerate(results) if result == ["accepted"]]
            assert {type(result) for result in results} == {list, Overloaded}
            assert len(taken) >= PROFILE_MAX and names(server.shard, "bot") == taken

    tell(story())


def test_a_question_is_answered_before_the_events_that_came_first(tmp_path: Path):
    async def story():
        async with serving(tmp_path) as (server, router):
            crowd = asyncio.create_task(router.ingest([event(f"u{n}", n) for n in range(500)]))
            await server.holds(1)
            asked = Decide(placement="home_hero", channel="web", identifiers=(("user_id", "ada"),))
            answer = asyncio.create_task(router.tell(home("ada"), asked))
            await server.holds(2)
            server.may_run(groups=1)
            assert (await answer)["actions"] and not crowd.done()
            server.may_run()
            assert await crowd == ["accepted"] * 500

    tell(story())


def test_consent_purchases_and_exposures_of_a_hot_profile_are_taken(tmp_path: Path):
    async def story():
        async with serving(tmp_path) as (server, router):
            server.may_run()
            asked = Decide(placement="home_hero", channel="web", identifiers=(("user_id", "bot"),))
            (shown,) = (await router.tell(home("bot"), asked))["actions"]
            server.may_run(groups=0)
            flood = [asyncio.create_task(router.ingest([event("bot", n)])) for n in range(PROFILE_MAX)]
            await server.holds(PROFILE_MAX)
            with pytest.raises(Overloaded):
                await router.ingest([event("bot", PROFILE_MAX)])
            with pytest.raises(Overloaded):
                await router.tell(home("bot"), asked)
            now_ms = WallClock().now_ms()
            consent = ConsentChange(purpose="marketing", channel="email", granted=False, at_ms=now_ms, source="test")
            viewed = Exposure(token=shown["trackingToken"], event="viewed", at_ms=now_ms)
            kept = [
                asyncio.create_task(router.ingest([event("bot", 1, "Order Completed")])),
                asyncio.create_task(router.ingest([event("bot", 1, "Consent Updated")])),
                asyncio.create_task(router.tell(home("bot"), consent)),
                asyncio.create_task(router.tell(home("bot"), viewed)),
            ]
            await server.holds(PROFILE_MAX + len(kept))
            server.may_run()
            ordered, updated, receipt, exposed = await asyncio.gather(*kept)
            assert ordered == updated == ["accepted"] and receipt["granted"] is False and exposed is not None
            await asyncio.gather(*flood)

    tell(story())


def test_a_batch_with_something_shed_keeps_the_rest_and_its_repeat_completes_it(tmp_path: Path):
    async def story():
        async with serving(tmp_path) as (server, router):
            flood = asyncio.create_task(router.ingest([event("bot", n) for n in range(PROFILE_MAX)]))
            await server.holds(1)
            batch = [event("bot", 1000), event("ada", 1), event("bot", 1, "Order Completed"), event("bot", 1001)]
            refused = asyncio.create_task(router.ingest(batch))
            await server.holds(2)
            server.may_run()
            with pytest.raises(Overloaded):
                await refused
            assert await flood == ["accepted"] * PROFILE_MAX
            assert names(server.shard, "ada") == ["Product Viewed-1"]
            assert names(server.shard, "bot")[PROFILE_MAX:] == ["Order Completed-1"]
            assert await router.ingest(batch) == ["accepted", "repeated", "repeated", "accepted"]

    tell(story())


def test_a_batch_larger_than_a_mailbox_is_taken_whole_and_in_order(tmp_path: Path):
    async def story():
        async with serving(tmp_path) as (server, router):
            server.may_run()
            batch = [event("ada", n) for n in range(3 * PROFILE_MAX)]
            assert await router.ingest(batch) == ["accepted"] * len(batch)
            assert names(server.shard, "ada") == [told.message_id for _, told in batch]
            assert server.groups >= len(batch) / GROUP_MAX

    tell(story())


def test_when_the_whole_shard_is_full_only_what_is_never_shed_gets_in_and_reading_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(intake, "FRAMES_MAX", 20)

    async def story():
        async with serving(tmp_path) as (server, router):
            crowd = [asyncio.create_task(router.ingest([event(f"u{n}", n)])) for n in range(20)]
            await server.holds(20)
            with pytest.raises(Overloaded):
                await router.ingest([event("ada", 1)])
            order = asyncio.create_task(router.ingest([event("ada", 1, "Order Completed")]))
            status = asyncio.create_task(router.everywhere("status"))
            await server.holds(22)
            server.may_run()
            assert await order == ["accepted"] and (await status)[0]["shard"] == 0
            assert await asyncio.gather(*crowd) == [["accepted"]] * 20
            assert await router.ingest([event("ada", 1)]) == ["accepted"]

    tell(story())
