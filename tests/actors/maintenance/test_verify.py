"""`segue verify` names what is wrong in a directory whose records can all be read."""

from __future__ import annotations

from typing import Any

import msgspec
from support.world import YES_TO_MAIL, World, action, document

from actors.maintenance import verify
from actors.storage.batch import Batch
from actors.storage.memory_store import MemoryStore
from actors.storage.vault import PlainVault
from engine import codec

WELCOME = document(
    actions=[action("letter")],
    journeys=[
        {
            "id": "welcome",
            "tier": "promotional",
            "trigger": {"event": "Told"},
            "steps": [{"send": {"action": "letter", "channel": "email"}}],
        }
    ],
)


def test_sends_that_wait_and_are_counted_wrongly_are_named():
    stores: list[Any] = [MemoryStore()]
    world = World(WELCOME, stores=stores)
    ada = world.customer("ada@shop.example", consents=YES_TO_MAIL)
    world.settle()
    world.provider_says = "retry"
    world.engine.stage([ada.event("Told")])
    world.advance(0)
    world.engine.windows[0].shard.commit()
    batch = Batch(stores[0], PlainVault())
    assert len(list(batch.raw("outbox", b""))) == 1
    assert verify.check({"shard-0": batch})[0] == []
    batch.put("meta", b"outbox", codec.seal(msgspec.msgpack.encode(0)))
    batch.commit()
    (fault,) = verify.check({"shard-0": batch})[0]
    assert fault.startswith("shard-0: meta/outbox: says 0, and 1 in the outbox wait")
