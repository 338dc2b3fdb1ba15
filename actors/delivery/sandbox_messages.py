"""A message that a sandbox was given instead of a provider goes back to its shard with the outcome, to be read
there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from actors.delivery.channels.adapter import Message
from actors.transport.messages.carried import Outcome, SandboxMessage

CHARS_MAX: Final = 16_384  # of a body; the rest is cut
BATCH_BYTES_MAX: Final = 8 << 20


def packed(message: Message) -> bytes:
    """The parts of a message that are kept, as they travel to the shard. Bodies are cut at `CHARS_MAX`."""
    kept = SandboxMessage(
        message.send_id,
        message.channel,
        message.address,
        message.subject,
        message.text[:CHARS_MAX],
        message.html[:CHARS_MAX],
    )
    return msgspec.msgpack.encode(kept)


def bounded(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Outcomes that fit into a frame: messages of sandboxes beyond `BATCH_BYTES_MAX` are left out."""
    kept, room = [], BATCH_BYTES_MAX
    for outcome in outcomes:
        room -= len(outcome.said)
        kept.append(outcome if room >= 0 else msgspec.structs.replace(outcome, said=b""))
    return kept
