"""The bytes of a profile, an entry, an input: canonical and versioned.

A record is one byte of schema version, one of key id (0: plain), then LZ4 of msgpack with sorted keys, so that equal
profiles are equal bytes on any shard.
"""

from __future__ import annotations

import lz4.block
import msgspec

from engine.errors import Corrupt
from engine.inputs import AnyInput
from engine.profile import Happened, Profile, Tombstone

VERSION = 1
_PLAIN = 0
_PROFILE, _TOMBSTONE = b"P", b"T"
_HEAD = bytes([VERSION, _PLAIN])

encoder = msgspec.msgpack.Encoder(order="deterministic")
_profile = msgspec.msgpack.Decoder(Profile)
_tombstone = msgspec.msgpack.Decoder(Tombstone)
_happened = msgspec.msgpack.Decoder(Happened)
_input: msgspec.msgpack.Decoder[AnyInput] = msgspec.msgpack.Decoder(AnyInput)


def seal(plain: bytes) -> bytes:
    """A record that holds `plain`."""
    packed: bytes = lz4.block.compress(plain)
    return _HEAD + packed


def unseal(record: bytes, where: str = "record") -> bytes:
    """What a record holds; Corrupt where it cannot be read."""
    if record[:2] != _HEAD:
        raise Corrupt(f"schema version or key of {record[:2].hex()} is not known", where)
    try:
        plain: bytes = lz4.block.decompress(record[2:])
    except lz4.block.LZ4BlockError as error:
        raise Corrupt(str(error), where) from error
    return plain


def canonical(record: Profile | Tombstone) -> bytes:
    """The plaintext that equality is judged by (design §4a)."""
    kind = _PROFILE if isinstance(record, Profile) else _TOMBSTONE
    return kind + encoder.encode(record)


def encode_record(record: Profile | Tombstone) -> bytes:
    """A profile or what stands in its place, without its history."""
    return seal(canonical(record))


def decode_record(record: bytes, where: str = "state") -> Profile | Tombstone:
    """The opposite of `encode_record`; Corrupt where it cannot be read."""
    plain = unseal(record, where)
    try:
        return _profile.decode(plain[1:]) if plain[:1] == _PROFILE else _tombstone.decode(plain[1:])
    except msgspec.MsgspecError as error:
        raise Corrupt(str(error), where) from error


def encode_happened(event: Happened) -> bytes:
    """One event of the history."""
    return seal(encoder.encode(event))


def decode_happened(record: bytes) -> Happened:
    """The opposite of `encode_happened`."""
    return _happened.decode(unseal(record, "history"))


def encode_input(told: AnyInput) -> bytes:
    """An input for the wire, the journal and the messages between profiles."""
    return encoder.encode(told)


def decode_input(raw: bytes) -> AnyInput:
    """The opposite of `encode_input`."""
    return _input.decode(raw)
