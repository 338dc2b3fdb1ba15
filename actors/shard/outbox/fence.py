"""A shard listens to the newest dispatcher alone. An older one that wakes up late can start no send and settle none.

A dispatcher learns the highest epoch that the shards know, takes the next one and enlists. A shard remembers durably
which one it listens to, and refuses every other with `Fenced`. Of two dispatchers that took the same epoch, the second
to enlist is refused.
"""

from __future__ import annotations

from actors.shard.shard import Shard
from actors.transport.dispatcher_name import epoch_of, name_of
from engine.errors import Fenced


class Fence:
    """One per shard."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    @property
    def dispatcher(self) -> str:
        """The dispatcher that the shard listens to. It is read at each call: a profile that moves here may bring a
        newer one."""
        known: str = self._shard.meta("dispatcher", "")
        return known

    def enlist(self, dispatcher: str) -> int:
        """Listen to this dispatcher from here on. Sends that an older one was handing over are `unknown`; returns how
        many.

        Durable after the shard's next commit. Raises Fenced where a newer one is known.
        """
        name = name_of(dispatcher)
        if name != self.dispatcher:
            if epoch_of(name) <= epoch_of(self.dispatcher):
                raise self._fenced()
            self._shard.put_meta("dispatcher", name)
        return self._shard.settle_orphans(dispatcher)

    def check(self, dispatcher: str) -> None:
        """Raises Fenced for any other than the one that is listened to."""
        if name_of(dispatcher) != self.dispatcher:
            raise self._fenced()

    def _fenced(self) -> Fenced:
        return Fenced(f"shard {self._shard.number} listens to dispatcher {self.dispatcher or 'none'}")
