"""Messages between profiles on their way from one shard to another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import pytest
from support.world import CART, compiled

from actors.platform.clock import WallClock
from actors.serving import message_sender
from actors.serving.message_sender import MessageSender
from actors.shard.set_aside import dead_letter_actions
from actors.shard.shard import Shard
from actors.storage import keys
from actors.storage.memory_store import MemoryStore
from actors.transport.clients import Clients
from actors.transport.frame_server import FrameServer, Reply
from actors.transport.messages.carried import Message
from actors.transport.messages.of_shards import Deliver, Delivered
from engine.errors import InvalidInput
from engine.inputs import HandOver, Merge

MB = 1 << 20
SENDER, RECEIVER = "0001" + "ab" * 13, "0002" + "cd" * 13
_message = msgspec.msgpack.Decoder(Message).decode


def test_large_hand_overs_go_in_several_frames_and_in_order(tmp_path: Path):
    shard = Shard(0, MemoryStore(), compiled(CART), WallClock())
    for number in range(1, 13):
        shard.messages[keys.message_key(SENDER, number)] = (RECEIVER, HandOver(origin=SENDER, state=bytes(MB)))
    frames: list[list[int]] = []

    def receive(request: Deliver, reply: Reply) -> None:
        brought = list(map(_message, request.messages))
        frames.append([message.seq for message in brought])
        reply.send(Delivered([(message.sender, message.seq) for message in brought]))

    async def bring() -> None:
        server, arrived = FrameServer(tmp_path / "peer", receive, (Deliver,)), asyncio.Event()
        await server.start()
        sender = MessageSender(shard, [str(tmp_path / "peer")], Clients(), arrived.set)
        while shard.messages:
            sender.send()
            await arrived.wait()
            arrived.clear()
        await server.close()

    asyncio.run(asyncio.wait_for(bring(), 30))
    assert [seq for frame in frames for seq in frame] == list(range(1, 13))
    assert max(map(len, frames)) <= 3


Takes = Callable[[Message], bool]


def shard_with(messages: Iterable[tuple[str, HandOver | Merge]]) -> Shard:
    """A shard one of whose profiles has told others something."""
    shard = Shard(0, MemoryStore(), compiled(CART), WallClock())
    for number, (to, told) in enumerate(messages, 1):
        shard.messages[keys.message_key(SENDER, number)] = (to, told)
    return shard


def carried(tmp_path: Path, shard: Shard, takes: Takes, until: Callable[[], bool]) -> list[Message]:
    """What has arrived at a receiver that `takes` some, or raises, when `until` holds."""
    taken: list[Message] = []

    def receive(request: Deliver, reply: Reply) -> None:
        found = [message for message in map(_message, request.messages) if takes(message)]
        taken.extend(found)
        reply.send(Delivered([(message.sender, message.seq) for message in found]))

    async def bring() -> None:
        server, arrived = FrameServer(tmp_path / "peer", receive, (Deliver,)), asyncio.Event()
        await server.start()
        sender = MessageSender(shard, [str(tmp_path / "peer")], Clients(), arrived.set)
        while not until():
            sender.send()
            await arrived.wait()
            arrived.clear()
        sender.close()
        await server.close()

    asyncio.run(asyncio.wait_for(bring(), 30))
    return taken


def test_who_cannot_take_a_message_keeps_no_other_waiting(tmp_path: Path):
    stuck, others = "0003" + "ef" * 13, ["0002" + f"{number:02x}" * 13 for number in range(20)]
    told = [(stuck, Merge(to=SENDER))] * 1_500 + [(other, Merge(to=SENDER)) for other in others]
    shard = shard_with(told)
    taken = carried(tmp_path, shard, lambda message: message.to != stuck, lambda: len(shard.messages) == 1_500)
    assert [message.to for message in taken] == others


def test_a_message_that_no_frame_holds_is_set_aside_and_can_be_told_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(message_sender, "_MESSAGE_BYTES_MAX", 2 * MB)
    huge = HandOver(origin=SENDER, state=bytes(3 * MB))
    shard = shard_with([(RECEIVER, Merge(to=SENDER)), (RECEIVER, huge), (RECEIVER, Merge(to=SENDER))])
    taken = carried(tmp_path, shard, lambda message: True, lambda: not shard.messages)
    assert [message.seq for message in taken] == [1, 3]
    (letter,) = shard.dead.all()
    assert (letter.profile, letter.told) == (RECEIVER, huge)
    assert letter.reason.startswith("cannot be delivered: TooLarge: ")
    monkeypatch.undo()
    assert dead_letter_actions.retry(shard, letter.number) == "accepted"
    assert [message.seq for message in carried(tmp_path, shard, lambda message: True, lambda: not shard.messages)] == [
        2
    ]
    assert shard.dead.all() == []


def test_a_message_that_the_other_end_cannot_make_anything_of_is_set_aside_alone(tmp_path: Path):
    def takes(message: Message) -> bool:
        if message.seq == 3:
            raise InvalidInput("is nothing that is known here", "told")
        return True

    shard = shard_with([(RECEIVER, Merge(to=SENDER))] * 6)
    taken = carried(tmp_path, shard, takes, lambda: not shard.messages)
    assert sorted({message.seq for message in taken}) == [1, 2, 4, 5, 6]
    assert [letter.seq for letter in shard.dead.all()] == [3]
