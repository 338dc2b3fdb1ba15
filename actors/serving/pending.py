"""Answers that wait until the messages of their turns are durable with other profiles.

On the wall clock only: on a replay clock the conductor brings messages, between two answers.
"""

from __future__ import annotations

from collections import defaultdict

from actors.serving.intake import Finish, Mail
from actors.shard.shard import Shard
from actors.storage import keys
from engine.inputs import Bind, Rejoin, Revert, Split
from engine.profile import Profile


class Pending:
    """One per shard server."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._merging: defaultdict[str, list[Finish]] = defaultdict(list)
        self._at_addresses: defaultdict[str, list[Finish]] = defaultdict(list)

    def hold(self, mail: Mail, finish: Finish) -> bool:
        """Keep the answer to a turn that has begun a merge or a split, or whose consent statement binds all holders of
        an address. False where the answer may leave at once."""
        if isinstance(mail.told, Bind):
            self._at_addresses[mail.profile].append(finish)
            return True
        waits = mail.is_event or isinstance(mail.told, Split | Rejoin | Revert)
        record = self._shard.record(mail.profile) if waits else None
        if not isinstance(record, Profile) or not _is_busy(record):
            return False
        self._merging[mail.profile].append(finish)
        return True

    def release(self) -> None:
        """Send the answers to work that is done. A merge is done when the survivor has everything and its last message
        has made the other profile a tombstone. A consent statement is done when every profile that it binds knows
        it."""
        if not self._merging and not self._at_addresses:
            return
        senders = {keys.profile_of(key) for key in self._shard.messages}
        for profile in list(self._merging):
            record = self._shard.record(profile)
            if not isinstance(record, Profile) or not (_is_busy(record) or profile in senders):
                for finish in self._merging.pop(profile):
                    finish()
        for place in self._at_addresses.keys() - senders:
            for finish in self._at_addresses.pop(place):
                finish()


def _is_busy(profile: Profile) -> bool:
    """Whether a merge or a split of a profile is under way."""
    return bool(profile.absorbing or profile.moving_to or profile.parting)
