"""Answers what matching asks of a shard. Nothing here takes a turn."""

from __future__ import annotations

from typing import Any

from actors.shard.shard import Shard
from actors.storage import keys
from actors.transport.messages.base import Acknowledged
from actors.transport.messages.of_matching import (
    Compared,
    Having,
    InBlocks,
    Matched,
    NextToMatch,
    RecordsOf,
    Waits,
)


class Matching:
    """One per shard server."""

    def __init__(self, shard: Shard, *, on_demand: bool) -> None:
        """With `on_demand` the index is brought up to date when matching asks, and not by itself: a replay clock moves
        only when it is told to."""
        self._shard, self._on_demand = shard, on_demand

    def next(self, asked: NextToMatch) -> Waits:
        """Who waits. Nobody, while the index is not complete."""
        shard = self._shard
        while self._on_demand and shard.rebuilding.is_busy:
            shard.rebuilding.work()
            shard.commit()
        if shard.rebuilding.is_busy or not shard.blocks.made_of:
            return Waits([], shard.blocks.counts["indexed"])
        found = shard.blocks.waiting(asked.most, shard.clock.now_ms())
        return Waits([(each.profile, each.mark, each.record) for each in found], shard.blocks.counts["indexed"])

    def having(self, asked: Having) -> InBlocks:
        """Who has these blocking keys."""
        return InBlocks([self._shard.blocks.having(block, asked.most) for block in asked.blocks])

    def records(self, asked: RecordsOf) -> Compared:
        """What is compared of these profiles."""
        blocks = self._shard.blocks
        return Compared([blocks.record(keys.profile_of(profile)) or b"" for profile in asked.profiles])

    def matched(self, told: Matched) -> Acknowledged:
        """These wait no more."""
        for profile, mark in told.profiles:
            self._shard.blocks.matched(profile, mark)
        self._shard.matching_done.update(told.counts)
        self._shard.matching_done["profiles"] += len(told.profiles)
        self._shard.matching_frequent.update(told.frequent)
        return Acknowledged()


def status(shard: Shard) -> dict[str, Any]:
    """The figures of matching of one shard."""
    return {
        "indexed": shard.blocks.counts["indexed"],
        "waiting": shard.blocks.counts["waiting"],
        "rebuilding": shard.rebuilding.is_busy,
        "matched": shard.matching_done["profiles"],
        "pairs": shard.matching_done["pairs"],
        "likely": shard.matching_done["likely"],
        "frequent": dict(shard.matching_frequent),
    }
