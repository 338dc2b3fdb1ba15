"""The bytes of a profile, an entry, an input: canonical and versioned.

A record begins with one byte of schema version and one that says how the rest is packed (0: LZ4, 2: as it is, for what
is short; 1 belongs to the vault). Then comes msgpack with sorted keys, so that equal profiles are equal bytes on any
shard.
"""

from __future__ import annotations

import lz4.block
import msgspec

from engine.errors import Corrupt
from engine.inputs import AnyInput
from engine.profile import Profile, Tombstone
from engine.recent_events import Happened, Recent, encoder

VERSION = 2  # 1 kept every event in a record of its own
_PLAIN, _SHORT = 0, 2
_PROFILE, _TOMBSTONE = b"P", b"T"
_HEAD = bytes([VERSION, _PLAIN])
_SHORT_HEAD = bytes([VERSION, _SHORT])
_SHORT_BYTES = 200  # LZ4 saves less than a tenth of so short a record

_profile = msgspec.msgpack.Decoder(tuple[Profile, list[msgspec.Raw]])
_tombstone = msgspec.msgpack.Decoder(Tombstone)
_page = msgspec.msgpack.Decoder(list[Happened])
_input: msgspec.msgpack.Decoder[AnyInput] = msgspec.msgpack.Decoder(AnyInput)


def seal(plain: bytes) -> bytes:
    """A record that holds `plain`."""
    if len(plain) <= _SHORT_BYTES:
        return _SHORT_HEAD + plain
    packed: bytes = lz4.block.compress(plain)
    return _HEAD + packed


def plain_bytes(record: bytes) -> int:
    """The length of a sealed record when it is unpacked, read from the first bytes of its LZ4 block."""
    return len(record) - 2 if record[1] == _SHORT else int.from_bytes(record[2:6], "little")


def unseal(record: bytes, where: str = "record") -> bytes:
    """The content of a record; Corrupt where it cannot be read."""
    if record[:2] == _SHORT_HEAD:
        return record[2:]
    if record[:2] != _HEAD:
        raise Corrupt(f"schema version or key of {record[:2].hex()} is not known", where)
    try:
        plain: bytes = lz4.block.decompress(record[2:])
    except lz4.block.LZ4BlockError as error:
        raise Corrupt(str(error), where) from error
    return plain


def canonical(record: Profile | Tombstone) -> bytes:
    """The plaintext that equality is judged by (`docs/design/virtual-time.md`): a profile with its recent
    events, or a tombstone."""
    if isinstance(record, Profile):
        return _PROFILE + encoder.encode((record, record.history.packed))
    return _TOMBSTONE + encoder.encode(record)


def encode_record(record: Profile | Tombstone) -> bytes:
    """The record of a profile with its recent events, or of the tombstone in its place."""
    return seal(canonical(record))


def is_profile(record: bytes, where: str = "state") -> bool:
    """Whether a record holds a profile and not a tombstone."""
    return unseal(record, where)[:1] == _PROFILE


def decode_record(record: bytes, where: str = "state") -> Profile | Tombstone:
    """The opposite of `encode_record`; Corrupt where it cannot be read."""
    plain = unseal(record, where)
    try:
        if plain[:1] != _PROFILE:
            return _tombstone.decode(plain[1:])
        profile, recent = _profile.decode(plain[1:])
    except msgspec.MsgspecError as error:
        raise Corrupt(str(error), where) from error
    profile.history = Recent(packed=recent)
    return profile


def encode_page(events: list[Happened]) -> bytes:
    """A page of the history."""
    return seal(encoder.encode(events))


def decode_page(record: bytes) -> list[Happened]:
    """The opposite of `encode_page`."""
    try:
        return _page.decode(unseal(record, "history"))
    except msgspec.MsgspecError as error:
        raise Corrupt(str(error), "history") from error


def encode_input(told: AnyInput) -> bytes:
    """An input for the wire, the journal and the messages between profiles."""
    return encoder.encode(told)


def decode_input(raw: bytes) -> AnyInput:
    """The opposite of `encode_input`."""
    return _input.decode(raw)
