"""Answers a dispatcher's pull: authorised messages, as many as one answer holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from actors.shard.outbox.outbox import Waiting
from actors.shard.shard import Shard
from engine.errors import Corrupt, Moved, Parked
from engine.inputs import Authorise, Settle

ANSWER_BYTES_MAX: Final = 16 << 20  # of one message too, with the traits and the event that its template may name

_encode = msgspec.msgpack.Encoder().encode


def hand_out(shard: Shard, ready: Iterable[Waiting], pull: str) -> bytes:
    """Authorise sends until the answer is full; the rest waits for the next pull. A message that is too large for any
    answer is refused: otherwise all sends behind it would wait for ever."""
    found: list[msgspec.Raw] = []
    room = ANSWER_BYTES_MAX
    for entry in ready:
        if room <= 0:
            break
        message = authorise(shard, entry, pull)
        if message is None:
            continue
        packed = _encode(message)
        if len(packed) > ANSWER_BYTES_MAX:
            said = Settle(
                send_id=entry.send, outcome="refused", detail=f"a message of {len(packed)} bytes is too large"
            )
            shard.tell_or_forward(entry.profile, said)
            continue
        found.append(msgspec.Raw(packed))
        room -= len(packed)
    return _encode(found)


def authorise(shard: Shard, entry: Waiting, dispatcher: str) -> dict[str, Any] | None:
    """The message of a send that may go now; None where it may not. The profile decides in a turn of its own."""
    try:
        done = shard.tell(entry.profile, Authorise(send_id=entry.send, dispatcher=dispatcher))
    except (Parked, Moved):
        return None
    except Corrupt as error:
        shard.unreadable.set_aside(entry.profile, error)
        # in memory alone: after the next start the profile may be readable again
        shard.outbox.drop(entry.profile, entry.send, entry.at_ms)
        return None
    if done.status == "failed":  # a dead letter says why; left in the outbox, it would fail at every pull
        shard.dequeue(entry.profile, entry.send, entry.at_ms)
    if done.value is None or not done.value["authorised"]:
        return None
    return {**done.value["message"], "profile": entry.profile}
