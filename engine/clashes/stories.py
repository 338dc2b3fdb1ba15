"""Stories: what happens to one customer, as plain data. A story is rehearsed by the real engine
(`actors.catalog_proof.rehearsals`), and what the engine recorded comes back as `Told`.

Times count from the beginning of a story, in milliseconds. A story holds only what its customer does and says, and what
others tell of them; all that the engine does about it is read from what it recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from engine.audit import Entry
from engine.vocabulary import ARRIVED

CUSTOMER: Final = "customer"
TURNS_MAX: Final = 2_000  # of the engine, for one story; one takes less than half a millisecond
THING: Final = "thing-1"  # the thing that facts of a story are about
_NOT_SENT: Final = ("held", "withdrawn", "expired")


class Known(msgspec.Struct, frozen=True, omit_defaults=True, tag="known"):
    """The customer is known, with these traits, and can be written to by these kinds of address (`email`, `phone`)."""

    at_ms: int
    traits: dict[str, Any] = {}
    addresses: tuple[str, ...] = ()


class Consents(msgspec.Struct, frozen=True, omit_defaults=True, tag="consent"):
    """The customer says yes, or no, to messages of a purpose on a channel."""

    at_ms: int
    purpose: str
    channel: str
    granted: bool = True


class Does(msgspec.Struct, frozen=True, omit_defaults=True, tag="event"):
    """An event of the customer's."""

    at_ms: int
    event: str
    properties: dict[str, Any] = {}


class Reacts(msgspec.Struct, frozen=True, omit_defaults=True, tag="outcome"):
    """The provider tells what became of the last message that has left: an event of that name about it."""

    at_ms: int
    outcome: str


class Learned(msgspec.Struct, frozen=True, omit_defaults=True, tag="fact"):
    """A fact about a thing, which is told to whoever is interested in it."""

    at_ms: int
    kind: str
    event: str
    properties: dict[str, Any] = {}
    thing: str = THING


Happening = Known | Consents | Does | Reacts | Learned


def may_be_one(one: Does, other: Does) -> bool:
    """Whether two events may be one event, with the properties of both."""
    same = one.properties.keys() & other.properties.keys()
    return one.event == other.event and all(one.properties[name] == other.properties[name] for name in same)


class Story(msgspec.Struct, frozen=True, omit_defaults=True):
    """Happenings in order of time, which begin at the instant `begins_ms` (UTC epoch); then time passes until
    `until_ms`. The customer is called `customer`: another name draws another arm of a split."""

    begins_ms: int
    happenings: tuple[Happening, ...]
    until_ms: int
    customer: str = CUSTOMER

    def happened_ms(self, event: str) -> int:
        """When an event of the customer's happened first; behind the story's end where it never did."""
        times = (each.at_ms for each in self.happenings if isinstance(each, Does) and each.event == event)
        return next(times, self.until_ms + 1)


def send_of(entry: Entry) -> str:
    """The message that an entry is about, by its id; empty where it is about none."""
    return str(entry.detail.get("send", ""))


class Told(msgspec.Struct, frozen=True):
    """What the engine recorded of a story: the entries of the customer's timeline, oldest first, their times counted
    from the beginning of the story. `turns` is how many turns that took. A story that takes more than TURNS_MAX breaks
    off there."""

    entries: tuple[Entry, ...]
    turns: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether the story was told to its end."""
        return self.turns < TURNS_MAX

    def has_entered(self, journey: str) -> bool:
        """Whether a run of the journey has begun."""
        return self.entered_ms(journey) is not None

    def entered_ms(self, journey: str) -> int | None:
        """When the first run of the journey began."""
        return next(
            (each.at_ms for each in self._of("journey") if (each.outcome, each.journey) == ("entered", journey)), None
        )

    def runs(self, journey: str) -> int:
        """How many runs of the journey have begun."""
        return sum(each.outcome == "entered" and each.journey == journey for each in self._of("journey"))

    def left(self, journey: str = "") -> Iterator[Entry]:
        """The messages that have left; those of a journey, where one is named."""
        return (each for each in self._of("send") if each.outcome in ARRIVED and journey in ("", each.journey))

    def decided(self, journey: str, before: Entry) -> Iterator[Entry]:
        """The decisions to write that stood when an entry was made, of those that a journey has taken by then. A place
        under a cap is taken by the decision, not by the hand-over some time later."""
        standing = dict[str, Entry]()
        for each in self.entries[: self.entries.index(before)]:
            if (each.kind, each.journey, each.outcome) == ("send", journey, "decided"):
                standing[send_of(each)] = each
            elif each.outcome in _NOT_SENT:
                standing.pop(send_of(each), None)
        yield from standing.values()

    def held(self, journey: str = "") -> Iterator[Entry]:
        """The messages that were held back, withdrawn, or too late, with their reasons."""
        return (each for each in self._of("send") if each.outcome in _NOT_SENT and journey in ("", each.journey))

    def stopped(self, journey: str = "") -> Iterator[Entry]:
        """The runs that a stop has ended."""
        return (each for each in self._of("stop") if each.outcome != "not_entered" and journey in ("", each.journey))

    def refused(self, journey: str) -> str:
        """Why the journey was not entered; empty where nothing was recorded."""
        found = [entry.reason for entry in self.entries if entry.outcome == "not_entered" and entry.journey == journey]
        return found[-1] if found else ""

    def _of(self, kind: str) -> Iterator[Entry]:
        return (entry for entry in self.entries if entry.kind == kind)
