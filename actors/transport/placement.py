"""Where each profile lives. A shard owns a range of slots, equal in size to every other's, for as long as the engine
runs. A pinned profile lives in a process of its own.

A profile's id never changes. Its address says where it lives: the id itself, or, for a pinned profile, the id with 1 as
its first hex digit. In an id that digit is always 0, because slots have 12 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from engine.seeds import SLOTS, slot_of


def shard_of(profile: str, shards: int) -> int:
    """The number of the shard that owns a profile id's slot."""
    return slot_of(profile) * shards // SLOTS


def slots_of(shard: int, shards: int) -> range:
    """The slots that a shard owns."""
    return range(-(-shard * SLOTS // shards), -(-(shard + 1) * SLOTS // shards))


def pinned(profile: str) -> str:
    """The address of a profile in a process of its own."""
    return "1" + profile[1:]


def is_pinned(address: str) -> bool:
    """Whether an address is that of a process of its own."""
    return address.startswith("1")


def profile_at(address: str) -> str:
    """The id of the profile that lives at an address."""
    return "0" + address[1:]


def pin_socket(sockets: str, profile: str) -> str:
    """The socket of a pinned profile's process, in the folder of all sockets."""
    return f"{sockets}/pin-{profile_at(profile)}"


def socket_of(address: str, shards: Sequence[str]) -> str:
    """The socket at which an address is asked, given the sockets of all shards."""
    if is_pinned(address):
        return pin_socket(str(PurePosixPath(shards[0]).parent), address)
    return shards[shard_of(address, len(shards))]
