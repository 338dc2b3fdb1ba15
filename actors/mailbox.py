"""The inputs that wait in a shard, by profile: bounded, in order, and fair to those that send little.

A profile's inputs leave in the order in which they came. A group takes one input of each profile in turn, at most
`OF_ONE_MAX` of any, so whoever is behind the flood of one waits for the group at hand and no more; behind many
profiles, for one group more per `GROUP_MAX` of them. What is urgent (a page waits for it) makes up a group of its own,
with what came before it from the same profile; after such a group the next one is for all. The bounds hold for what may
be shed (`engine/shedding.py`); the rest has room of its own, bounded by the frames that a shard takes in
(`actors/intake.py`).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, TypeVar

T = TypeVar("T")

GROUP_MAX = 64  # some 8 ms of turns, for which a page may have to wait; a commit then costs each of them little
OF_ONE_MAX = 64
PROFILE_MAX = 256  # waiting inputs of one profile above which more of them is shed
TOTAL_MAX = 8_192  # and of all profiles


class Mailboxes(Generic[T]):
    """Mailboxes with something in them. An empty one takes nothing."""

    def __init__(
        self,
        *,
        group_max: int = GROUP_MAX,
        of_one_max: int = OF_ONE_MAX,
        profile_max: int = PROFILE_MAX,
        total_max: int = TOTAL_MAX,
    ) -> None:
        self._group_max, self._of_one_max = group_max, of_one_max
        self._profile_max, self._total_max = profile_max, total_max
        self._waiting: OrderedDict[str, deque[T]] = OrderedDict()  # the next in turn first
        self._urgent: dict[str, int] = {}  # how many inputs of a profile there are up to its last urgent one
        self._was_urgent = False
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def is_full(self) -> bool:
        """Whether nothing more that can be shed should come in, whoever it is for."""
        return self._size >= self._total_max

    def is_full_for(self, profile: str, beside: int = 0) -> bool:
        """Whether nothing more that can be shed should come in for this profile, of which `beside` wait elsewhere."""
        mailbox = self._waiting.get(profile)
        return beside + (len(mailbox) if mailbox is not None else 0) >= self._profile_max

    def put(self, profile: str, mail: T, *, is_urgent: bool = False) -> None:
        """Add to the end of a profile's mailbox."""
        mailbox = self._waiting.get(profile)
        if mailbox is None:
            mailbox = self._waiting[profile] = deque()
        mailbox.append(mail)
        if is_urgent:
            self._urgent[profile] = len(mailbox)
        self._size += 1

    def take(self) -> list[T]:
        """The next group. A profile of which something stays behind is the last in turn for the next one."""
        self._was_urgent = bool(self._urgent) and not self._was_urgent
        group = self._take_urgent() if self._was_urgent else self._take_in_turn()
        self._size -= len(group)
        return group

    def _take_urgent(self) -> list[T]:
        group: list[T] = []
        for profile, count in list(self._urgent.items()):
            mailbox = self._waiting.pop(profile)
            most = min(count, self._of_one_max, self._group_max - len(group))
            group += [mailbox.popleft() for _ in range(most)]
            self._has_left(profile, most)
            if mailbox:
                self._waiting[profile] = mailbox
            if len(group) == self._group_max:
                break
        return group

    def _take_in_turn(self) -> list[T]:
        group: list[T] = []
        taken: dict[str, int] = {}
        enough: dict[str, deque[T]] = {}
        waiting = self._waiting
        while waiting and len(group) < self._group_max:
            profile, mailbox = waiting.popitem(last=False)
            group.append(mailbox.popleft())
            taken[profile] = count = taken.get(profile, 0) + 1
            if mailbox:
                (waiting if count < self._of_one_max else enough)[profile] = mailbox
        waiting.update(enough)
        for profile in self._urgent.keys() & taken.keys():
            self._has_left(profile, taken[profile])
        return group

    def _has_left(self, profile: str, count: int) -> None:
        left = self._urgent[profile] - count
        if left > 0:
            self._urgent[profile] = left
        else:
            del self._urgent[profile]
