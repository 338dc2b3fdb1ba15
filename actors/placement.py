"""Who lives where: a slot belongs to one shard, in equal ranges, for as long as the engine runs."""

from __future__ import annotations

from engine.seeds import SLOTS, slot_of


def shard_of(profile: str, shards: int) -> int:
    """The number of the shard that owns a profile id's slot."""
    return slot_of(profile) * shards // SLOTS


def slots_of(shard: int, shards: int) -> range:
    """The slots that a shard owns."""
    return range(-(-shard * SLOTS // shards), -(-(shard + 1) * SLOTS // shards))
