"""Messages between profiles on their way from one shard to another."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
from support.world import CART, compiled

from actors import keys
from actors.clock import WallClock
from actors.courier import Courier
from actors.memory_store import MemoryStore
from actors.shard import Shard
from actors.windows import Message
from actors.wire import FrameServer, Reply
from engine.inputs import HandOver

MB = 1 << 20
SENDER, RECEIVER = "0001" + "ab" * 13, "0002" + "cd" * 13
_messages = msgspec.msgpack.Decoder(list[Message])


def test_large_hand_overs_go_in_several_frames_and_in_order(tmp_path: Path):
    shard = Shard(0, MemoryStore(), compiled(CART), WallClock())
    for number in range(1, 13):
        shard.messages[keys.message_key(SENDER, number)] = (RECEIVER, HandOver(origin=SENDER, state=bytes(MB)))
    frames: list[list[int]] = []

    def receive(op: str, payload: bytes, reply: Reply) -> None:
        brought = _messages.decode(payload)
        frames.append([message.seq for message in brought])
        reply.send(msgspec.msgpack.encode([(message.sender, message.seq) for message in brought]))

    async def carry() -> None:
        server, arrived = FrameServer(tmp_path / "peer", receive), asyncio.Event()
        await server.start()
        courier = Courier(shard, [str(tmp_path / "peer")], arrived.set)
        while shard.messages:
            courier.carry()
            await arrived.wait()
            arrived.clear()
        await server.close()

    asyncio.run(asyncio.wait_for(carry(), 30))
    assert [seq for frame in frames for seq in frame] == list(range(1, 13))
    assert max(map(len, frames)) <= 3
