"""A request that cannot be met for the moment is answered so alone: the shard serves everybody else on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from support.serving import ServedShard
from support.world import CART, Customer, compiled

from actors.storage.memory_store import MemoryStore
from actors.transport.frame_client import FrameClient
from actors.transport.messages.base import Request
from actors.transport.messages.carried import EventStatus
from actors.transport.messages.of_dispatcher import MoveBarrier
from actors.transport.messages.of_doors import Ingest, Tell
from actors.transport.messages.of_shards import EndMove, GoHome
from engine.errors import NotReady, SegueError
from engine.inputs import Erase


@pytest.fixture
def served() -> Iterator[ServedShard]:
    shard = ServedShard(compiled(CART), MemoryStore)
    yield shard
    shard.close()


def together(served: ServedShard, *requests: Request[Any]) -> list[Any]:
    """What becomes of requests that reach the shard in one group."""

    async def ask() -> list[Any]:
        client = FrameClient(served.path)
        return await asyncio.gather(*map(client.call, requests), return_exceptions=True)

    return asyncio.run(ask())


def test_the_erasure_of_somebody_who_is_being_merged_costs_nobody_else(served: ServedShard):
    ada = served.customer("ada")
    home = served.tell(ada.event("Seen"))
    served.tell(Customer(ada.world, "", "phone").event("Seen"))
    link, other = ada.event("Seen", anonymous_id="phone"), ada.event("Page Viewed")
    linked, erased, seen = together(served, Ingest([(home, link)]), Tell(home, Erase()), Ingest([(home, other)]))
    assert isinstance(erased, NotReady) and "is being linked" in str(erased)
    assert [linked.results, seen.results] == [[EventStatus.ACCEPTED]] * 2
    assert len(served.shards) == 1, "it was not opened again"


def test_a_second_backup_is_refused_and_costs_nobody_else(served: ServedShard):
    ada = served.customer("ada")
    home = served.tell(ada.event("Seen"))
    served.call(MoveBarrier("lower", "first", ""))
    lowered, seen = together(served, MoveBarrier("lower", "second", ""), Ingest([(home, ada.event("Page Viewed"))]))
    assert isinstance(lowered, NotReady) and "another backup" in str(lowered)
    assert seen.results == [EventStatus.ACCEPTED]
    assert len(served.shards) == 1


@pytest.mark.parametrize("request_", [GoHome("profile"), EndMove("ab" * 15, "no such move")], ids=["go home", "end"])
def test_a_move_that_makes_no_sense_costs_nobody_else(served: ServedShard, request_: Request[Any]):
    ada = served.customer("ada")
    home = served.tell(ada.event("Seen"))
    moved, seen = together(served, request_, Ingest([(home, ada.event("Page Viewed"))]))
    assert isinstance(moved, SegueError) and not isinstance(moved, NotReady)
    assert seen.results == [EventStatus.ACCEPTED]
