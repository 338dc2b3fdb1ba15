"""Merges and splits as tests make them, and whether a replay of the journals gives what is stored."""

from __future__ import annotations

from typing import Any

from actors.maintenance import verify_replay
from engine.inputs import Split
from engine.profile import Profile
from support.world import World


def record(world: World, profile: str) -> Profile:
    """The stored profile at a place, which is no pointer."""
    found = world.engine.shard(profile).record(profile)
    assert isinstance(found, Profile)
    return found


def split(world: World, profile: str, number: int = -1, *, other: str = "") -> dict[str, Any]:
    """Undo a merge of this profile that still stands, the last one, or the last with `other`; nothing else happens
    yet."""
    merges = [past for past in record(world, profile).ledger if past.origin.startswith(other)]
    standing = [past for past in merges if not past.undone_ms] if other or number == -1 else merges
    answer = world.engine.ask_profile(profile, Split(merge_id=(standing or merges)[number].id))
    assert answer is not None
    return answer


def differences(world: World) -> list[str]:
    """What a replay of the journals gives otherwise than it is stored."""
    found: list[str] = []
    for windows in world.engine.windows:
        shard = windows.shard
        shard.commit()
        for profile in shard.all_profiles():
            stored = shard.record(profile)
            assert stored is not None
            found += [
                f"{profile}: {what}" for what in verify_replay.differences(shard.batch, profile, stored, shard.catalogs)
            ]
    return found
