"""Budgets over all customers: never one token too many, on any number of shards and through crashes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.faulty_store import FaultyStore, Fuse
from support.world import World, action, compiled, document

from actors.maintenance import verify_replay
from actors.platform.clock import ReplayClock
from actors.serving.shard_server import ShardServer
from actors.shard.budget_leases import BudgetLeases
from actors.shard.shard import Shard
from actors.storage.memory_store import MemoryStore
from actors.transport.frame_client import FrameClient
from actors.transport.messages.base import Ping
from engine.inputs import Decide


def shop(limit: int, *, block: int | None = None, per: str | None = None, **policies: Any) -> dict[str, Any]:
    """One web action, paid for by a budget, and another one that is free."""
    budget: dict[str, Any] = {"id": "vouchers", "limit": limit, "match": {"action": "voucher"}}
    budget |= {name: value for name, value in (("block", block), ("per", per)) if value is not None}
    web = {"channels": ["web"], "placements": ["home_hero"], "purpose": "service"}
    actions = [action("voucher", value=9.0, **web), action("free", value=1.0, **web)]
    actions.append(action("letter", purpose="service"))
    return document(actions=actions, policies={"budgets": [budget], **policies})


def shown(answer: dict[str, Any]) -> str:
    return str(answer["actions"][0]["actionId"])


@pytest.mark.parametrize("shards", [1, 3])
def test_a_budget_is_spent_to_the_last_token_and_no_further(shards: int):
    world = World(shop(20, block=3), shards=shards)
    customers = [world.customer(f"u{number}") for number in range(40)]
    answers = [customer.decides(explain=True) for customer in customers]
    given_out = [shown(answer) for answer in answers].count("voucher")
    assert 20 - 2 * 3 <= given_out <= 20 and (shards > 1 or given_out == 20)
    reasons = {row["actionId"]: row["reason"] for row in answers[-1]["explanation"]["candidates"]}
    assert reasons["voucher"] == "budget.vouchers"
    again = [shown(customer.decides()) for customer in customers]
    assert again == [shown(answer) for answer in answers], "a page reload costs nothing"


def test_what_is_dismissed_can_be_given_to_somebody_else():
    world = World(shop(1))
    ada, bob = world.customer("ada"), world.customer("bob")
    first = ada.decides()["actions"][0]
    assert shown(bob.decides()) == "free"
    ada.sees(first, "dismissed")
    assert shown(bob.decides()) == "voucher"


def test_a_budget_per_day_begins_anew_with_the_day_of_the_workspace():
    world = World(shop(2, per="day", workspace={"zone": "Europe/Berlin"}))
    assert [shown(world.customer(f"a{n}").decides()) for n in range(3)] == ["voucher", "voucher", "free"]
    world.advance(hours=22)
    assert shown(world.customer("b").decides()) == "free"
    world.advance(hours=1)  # midnight in Berlin
    assert [shown(world.customer(f"c{n}").decides()) for n in range(3)] == ["voucher", "voucher", "free"]


def test_the_journal_repeats_what_a_scarce_budget_allowed():
    world = World(shop(1))
    ada, bob = world.customer("ada"), world.customer("bob")
    ada.does("Page Viewed")
    bob.does("Page Viewed")
    assert [shown(ada.decides()), shown(bob.decides())] == ["voucher", "free"]
    for customer in (ada, bob):
        shard = world.engine.shard(customer.id)
        assert list(verify_replay.differences(shard.batch, customer.id, customer.profile, shard.catalogs)) == []


STEPS = st.lists(st.tuples(st.sampled_from(["spend", "crash", "lost", "new"]), st.integers(0, 2)), max_size=80)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(1, 30), st.integers(1, 7))
def test_no_crash_and_no_lost_answer_spends_a_token_twice(steps: list[tuple[str, int]], limit: int, block: int):
    """Three shards with stores that forget what was not synced; an answer may be lost on its way, a store be new."""
    catalog = compiled(shop(limit, block=block))
    stores = [FaultyStore(Fuse()) for _ in range(3)]
    shards = [Shard(number, store, catalog, ReplayClock()) for number, store in enumerate(stores)]
    acknowledged = 0

    def lease(number: int, *, is_lost: bool) -> None:
        for wanted in shards[number].leases.wanted():
            amount = shards[0].leases.grant(wanted)
            shards[0].commit()
            if not is_lost:
                shards[number].leases.take(wanted, amount)

    for what, number in steps:
        if what == "crash" or (what == "new" and number):
            stores[number] = stores[number].survivor(Fuse()) if what == "crash" else FaultyStore(Fuse())
            shards[number] = Shard(number, stores[number], catalog, ReplayClock())
            continue
        shards[number].leases.authority = None
        lease(number, is_lost=what == "lost")
        asked = Decide(placement="home_hero", channel="web", identifiers=(("user_id", "x"),))
        done = shards[number].tell(f"{number:04x}{acknowledged:024x}00", asked)
        assert done.value is not None
        shards[number].commit()
        acknowledged += shown(done.value) == "voucher"
    assert acknowledged <= limit


def test_an_answer_that_was_lost_comes_again_and_one_that_comes_twice_counts_once():
    catalog = compiled(shop(10, block=4))
    authority, other = (Shard(number, MemoryStore(), catalog, ReplayClock()).leases for number in range(2))
    for _ in range(3):  # lost on the way
        (wanted,) = other.wanted()
        assert authority.grant(wanted) == 4
    for _ in range(2):
        other.take(wanted, 4)
    assert other.tokens() == {"vouchers": 4}
    (following,) = other.wanted()
    assert (authority.grant(following), following[3]) == (4, wanted[3] + 1)


def test_a_shard_asks_shard_0_over_its_socket(tmp_path: Path):
    catalog = compiled(shop(10, block=4))
    paths = [str(tmp_path / f"shard-{number}") for number in range(2)]

    async def story() -> tuple[int, int]:
        shards = [Shard(number, MemoryStore(), catalog, ReplayClock()) for number in range(2)]
        servers = [ShardServer(shard, path, paths) for shard, path in zip(shards, paths, strict=True)]
        serving = [asyncio.create_task(servers[0].serve())]
        client = FrameClient(paths[0])
        for _ in range(3_000):
            if Path(paths[0]).exists():
                break
            await asyncio.sleep(0.01)
        await client.call(Ping())
        serving.append(asyncio.create_task(servers[1].serve()))
        for _ in range(3_000):
            if shards[1].leases.tokens() == {"vouchers": 10}:  # block after block, until there is nothing left
                break
            await asyncio.sleep(0.01)
        for server in servers:
            server.close()
        await asyncio.gather(*serving)
        return shards[1].leases.tokens()["vouchers"], shards[0].meta("granted/vouchers", [0, 0, {}])[1]

    assert asyncio.run(asyncio.wait_for(story(), 60)) == (10, 10)


def test_budget_leases_pay_for_sends_too_and_take_back_what_is_refused():
    world = World(shop(1) | {
        "policies.yaml": {"budgets": [{"id": "mails", "limit": 1, "match": {"channel": "email"}}]},
        "journeys/j.yaml": {"id": "j", "tier": "promotional", "trigger": {"event": "Go"},
                            "steps": [{"send": {"action": "letter", "channel": "email"}}]},
    })  # fmt: skip
    world.provider_says = "refused"
    ada, bob, eve = (world.customer(name) for name in ("ada", "bob", "eve"))
    for customer in (ada, bob, eve):
        customer.identifies(email=f"{customer.user}@shop.example")
    ada.does("Go")
    world.advance(minutes=1)
    world.provider_says = "sent"
    bob.does("Go")
    world.advance(minutes=1)
    eve.does("Go")
    world.advance(minutes=1)
    assert (bob.sends, eve.outcomes("held")) == (["letter"], [("letter", "budget.mails")])
    leases = world.engine.windows[0].shard.leases
    assert isinstance(leases, BudgetLeases) and leases.tokens() == {"mails": 0}
