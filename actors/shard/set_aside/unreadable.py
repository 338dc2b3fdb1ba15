"""Sets profiles aside that cannot be read: they are logged once, left on the disk as they are, and hold nobody up.

A broken key makes its profile unreadable, a broken block of a table all profiles in it. Inputs for them are refused,
and their timers and sends wait for a start at which they can be read again. All other profiles go on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from actors.platform import logs
from actors.storage import keys
from actors.storage.batch import Batch
from engine.errors import Corrupt

log = logging.getLogger(__name__)


class Unreadable:
    """The unreadable profiles of one shard."""

    def __init__(self, batch: Batch, shard: int) -> None:
        self._batch, self._shard = batch, shard
        self.reasons: dict[str, str] = {}  # by profile

    def __contains__(self, profile: str) -> bool:
        return profile in self.reasons

    def set_aside(self, profile: str, error: Corrupt) -> None:
        """Log that a profile cannot be read, once."""
        if profile not in self.reasons:
            self.reasons[profile] = str(error)
            logs.fault(log, "profile_set_aside", error, shard=self._shard, profile=profile)

    def state_of(self, profile: str) -> bytes | None:
        """A profile's record, plain, None where there is none. Raises Corrupt where it cannot be read, and sets the
        profile aside."""
        try:
            return self._batch.get("state", keys.profile_key(profile))
        except Corrupt as error:
            self.set_aside(profile, error)
            raise

    def readable(self, family: str) -> Iterator[tuple[bytes, bytes]]:
        """The committed records of a family that can be read, plain; its keys begin with a profile."""
        for key, record in self._batch.raw(family, b""):
            try:
                yield key, self._batch.unlock(record)
            except Corrupt as error:
                self.set_aside(keys.profile_of(key), error)
