"""What a dispatcher gets when it pulls: messages that are authorised, as many as one answer holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from actors.outbox import Waiting
from actors.shard import Shard
from engine.inputs import Settle

ANSWER_BYTES_MAX: Final = 16 << 20  # and of one message, with its traits and what started its run

_encode = msgspec.msgpack.Encoder().encode


def hand_out(shard: Shard, ready: Iterable[Waiting], pull: str) -> bytes:
    """Authorise sends until the answer is full; what is left waits for the next pull. A message that no answer holds is
    refused, so that nobody waits behind it."""
    found: list[msgspec.Raw] = []
    room = ANSWER_BYTES_MAX
    for entry in ready:
        if room <= 0:
            break
        message = shard.authorise(entry, pull)
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
