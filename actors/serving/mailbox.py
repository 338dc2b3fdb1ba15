"""The inputs that wait in a shard, by profile: bounded, in order, and fair to those that send little.

- Order: a profile's inputs leave in the order in which they came.
- Turns: a group takes one input of each profile in turn. So an input behind the flood of one profile waits for the
  group at hand and no more. Behind many profiles it waits one group more for every `GROUP_MAX / 2` of them.
- Age: by turns alone, the last input of a busy profile would wait for minutes where many profiles wait, and with it the
  batch in which it came. So half of a group is for inputs that have seen `AGED_TURNS` others go, the oldest first. The
  other half is by turns alone, because a flood grows old too.
- Urgency: inputs that a page waits for form a group of their own, with the earlier inputs of the same profiles, because
  order holds here too. The group after such a one is for all.
- Bounds: they hold for inputs that may be shed (`engine/events/shedding.py`). All others have room of their own,
  bounded by the frames that a shard takes in (`actors/serving/intake.py`).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, TypeVar

T = TypeVar("T")

GROUP_MAX = 64  # some 8 ms of turns, for which a page may have to wait; a commit then costs each of them little
AGED_TURNS = 2_048  # half a second of turns
PROFILE_MAX = 256  # waiting inputs of one profile above which more of them is shed
TOTAL_MAX = 8_192  # and of all profiles


class Mailboxes(Generic[T]):
    """All mailboxes of a shard that hold an input. An empty mailbox takes no memory."""

    def __init__(
        self,
        *,
        group_max: int = GROUP_MAX,
        aged_turns: int = AGED_TURNS,
        profile_max: int = PROFILE_MAX,
        total_max: int = TOTAL_MAX,
    ) -> None:
        self._group_max, self._aged_turns = group_max, aged_turns
        self._profile_max, self._total_max = profile_max, total_max
        # Each input with the number of inputs that had left when it came. Profiles: the next in turn first.
        self._waiting: OrderedDict[str, deque[tuple[int, T]]] = OrderedDict()
        self._arrivals: deque[tuple[int, str]] = deque()  # the same by age; an input may have left out of turn
        self._urgent: dict[str, int] = {}  # how many inputs of a profile there are up to its last urgent one
        self._was_urgent = False
        self._size = 0
        self._left = 0

    def __len__(self) -> int:
        return self._size

    def is_full(self) -> bool:
        """Whether sheddable inputs should be refused, for whatever profile."""
        return self._size >= self._total_max

    def is_full_for(self, profile: str, beside: int = 0) -> bool:
        """Whether sheddable inputs for this profile should be refused; `beside` of its inputs wait elsewhere."""
        mailbox = self._waiting.get(profile)
        return beside + (len(mailbox) if mailbox is not None else 0) >= self._profile_max

    def put(self, profile: str, mail: T, *, is_urgent: bool = False) -> None:
        """Add to the end of a profile's mailbox."""
        mailbox = self._waiting.get(profile)
        if mailbox is None:
            mailbox = self._waiting[profile] = deque()
        mailbox.append((self._left, mail))
        self._arrivals.append((self._left, profile))
        if is_urgent:
            self._urgent[profile] = len(mailbox)
        self._size += 1

    def take(self) -> list[T]:
        """The next group. A profile with inputs left over is the last in turn for the group after it."""
        self._was_urgent = bool(self._urgent) and not self._was_urgent
        group = self._take_urgent() if self._was_urgent else self._take_in_turn()
        self._size -= len(group)
        self._left += len(group)
        if not self._size:
            self._arrivals.clear()  # entries of inputs that left in turn would stay until they are old
        return group

    def _take_urgent(self) -> list[T]:
        group: list[T] = []
        for profile, count in list(self._urgent.items()):
            most = min(count, self._group_max - len(group))
            group += [self._take_from(profile) for _ in range(most)]
            if len(group) == self._group_max:
                break
        return group

    def _take_in_turn(self) -> list[T]:
        group: list[T] = []
        for_aged = (self._group_max + 1) // 2
        while self._waiting and len(group) < self._group_max:
            aged = self._aged() if len(group) < for_aged else None
            group.append(self._take_from(aged or next(iter(self._waiting))))
        return group

    def _aged(self) -> str | None:
        """The profile with the oldest input that waits, where that is old enough to go first."""
        while self._arrivals:
            came, profile = self._arrivals[0]
            if self._left - came < self._aged_turns:
                return None
            self._arrivals.popleft()
            mailbox = self._waiting.get(profile)
            if mailbox is not None and mailbox[0][0] <= came:  # else that input has left out of turn
                return profile
        return None

    def _take_from(self, profile: str) -> T:
        """The next input of a profile. If it has more, the profile is the last in turn from here on."""
        mailbox = self._waiting.pop(profile)
        _, mail = mailbox.popleft()
        if mailbox:
            self._waiting[profile] = mailbox
        if (left := self._urgent.get(profile, 0)) > 1:
            self._urgent[profile] = left - 1
        elif left:
            del self._urgent[profile]
        return mail
