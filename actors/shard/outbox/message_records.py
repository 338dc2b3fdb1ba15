"""The record of a message to another profile that has not arrived, family `messages`."""

from __future__ import annotations

import msgspec

from engine import codec
from engine.inputs import AnyInput


def packed(to: str, message: AnyInput) -> bytes:
    """The record of a message to a profile."""
    return codec.seal(msgspec.msgpack.encode([to, codec.encode_input(message)]))


def unpacked(record: bytes) -> tuple[str, AnyInput]:
    """The receiver and the message; Corrupt where it cannot be read."""
    to, message = msgspec.msgpack.decode(codec.unseal(record, "message"))
    return to, codec.decode_input(message)
