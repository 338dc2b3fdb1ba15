"""One instant for the copies of all shards: while the barrier is down, a shard takes in no message from another one.

A message stays with its sender until its receiver has it durably. Copies that are made at different moments can lose a
message: the receiver is copied before the message arrives, the sender after it was removed. Or they hold the effect of
a message and not its cause. So all barriers go down first, then every shard is copied, then all barriers go up. Every
message that a copy has taken in was taken in before the first copy was made, and is in its sender's copy too. All other
work goes on meanwhile.

A barrier that nobody lifts goes up by itself. A later `lift` says so, and the copies are thrown away.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from actors.shard.shard import Shard
from actors.transport.messages.of_dispatcher import BarrierHeld, MoveBarrier
from engine.errors import NotReady

DOWN_S_MAX = 60.0  # messages between profiles must not wait for ever for a dispatcher that died during a backup


class Barrier:
    """One per shard."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._backup = ""
        self._until_s = 0.0

    @property
    def is_down(self) -> bool:
        """Whether no message may be taken in."""
        return bool(self._backup) and asyncio.get_running_loop().time() < self._until_s

    def move(self, request: MoveBarrier) -> BarrierHeld:
        """Lower or lift the barrier of one backup, or copy the store behind it."""
        if request.step == "lower":
            return BarrierHeld(self._lower(request.backup))
        was_down = self.is_down and request.backup == self._backup
        if request.step == "lift":
            self._backup = "" if was_down else self._backup
        elif was_down:
            self._shard.commit()
            self._shard.batch.checkpoint(Path(request.path))
        return BarrierHeld(was_down)

    def _lower(self, backup: str) -> bool:
        if self.is_down:
            raise NotReady("another backup is being made")
        self._backup = backup
        self._until_s = asyncio.get_running_loop().time() + DOWN_S_MAX
        return True
