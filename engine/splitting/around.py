"""The three states around a merge, as the ledger keeps them: both profiles before it, and the survivor after it."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from engine import codec
from engine.parts.of_identity import Merged
from engine.profile import Profile

_record = msgspec.msgpack.Decoder(tuple[bytes, bytes, bytes])


@dataclass(frozen=True, slots=True)
class Around:
    """The states, decoded anew for each who asks: they are changed by whoever works on them."""

    before: bytes
    other: bytes
    after: bytes

    @classmethod
    def read(cls, record: bytes) -> Around:
        """From a record of the ledger."""
        return cls(*_record.decode(codec.unseal(record, "merges")))

    @property
    def record(self) -> bytes:
        """The record that the ledger keeps."""
        return codec.seal(msgspec.msgpack.encode((self.before, self.other, self.after)))


def profile_of(state: bytes) -> Profile:
    """A profile of one of the states."""
    found = codec.decode_record(state, "merges")
    assert isinstance(found, Profile), "the ledger holds profiles only"
    return found


def copied(profile: Profile) -> Profile:
    """A profile that shares nothing with this one."""
    return profile_of(codec.encode_record(profile))


def can_be_undone(past: Merged) -> bool:
    """Whether a merge can be undone: its states are kept."""
    return bool(past.id) and not past.undone_ms


def has_merges(profile: Profile) -> bool:
    """Whether any merge of this profile can be undone."""
    return any(can_be_undone(past) for past in profile.ledger)
