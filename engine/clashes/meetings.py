"""Which journeys can reach one customer within one window, and the stories in which they do.

Two journeys meet where both write to a customer within the window of a cap that counts messages of both; where no cap
does, within a day. Journeys of service messages do not count: a receipt goes to everybody who orders, whatever else is
sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import msgspec

from engine.catalog.compiled import Cap, Catalog, Journey
from engine.clashes.entrances import merged
from engine.clashes.making import Part, stories_of
from engine.clashes.stories import Consents, Story, Told
from engine.clashes.wishes import Wish
from engine.frequency import caps
from engine.vocabulary import DAY_MS, HOUR_MS, MINUTE_MS

_CALENDAR_MS: Final = {"day": DAY_MS, "week": 7 * DAY_MS, "month": 31 * DAY_MS}


@dataclass(frozen=True, slots=True)
class Solo:
    """A journey by itself: the way into it that a rehearsal has confirmed, what the engine recorded of it, and how long
    after the entry its first message leaves."""

    journey: Journey
    part: Part
    told: Told
    first_ms: int

    @property
    def lasts_ms(self) -> int:
        """How long after the entry the run came to its end; as far as it was told, where it did not."""
        own = [each for each in self.told.entries if each.journey == self.journey.id]
        ended = (each.at_ms for each in own if each.outcome in ("completed", "exited", "stopped"))
        return next(ended, own[-1].at_ms) - (self.told.entered_ms(self.journey.id) or 0)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two journeys, and the caps that count messages of both."""

    one: Solo
    other: Solo
    caps: tuple[Cap, ...]

    @property
    def window_ms(self) -> int:
        """The longest time within which both are counted together."""
        return max(map(length_ms, self.caps), default=DAY_MS)

    @property
    def journeys(self) -> frozenset[str]:
        """Their names."""
        return frozenset((self.one.journey.id, self.other.journey.id))


def players(catalog: Catalog) -> list[Journey]:
    """The live journeys that write to people, but for those of service messages."""
    return [each for each in catalog.journeys.values() if each.status == "live" and _writes(catalog, each)]


def pairs(catalog: Catalog, solos: list[Solo]) -> list[Pair]:
    """Every two of the journeys. Those that begin with the same event come first, because they meet most often."""
    counting = {solo.journey.id: frozenset(_counting(catalog, solo.journey)) for solo in solos}
    found = []
    for one, other in combinations(solos, 2):
        both = counting[one.journey.id] & counting[other.journey.id]
        found.append(Pair(one, other, tuple(cap for cap in catalog.caps if cap.id in both)))
    return sorted(found, key=lambda pair: not _begins_alike(pair.one.journey, pair.other.journey))


def stories(catalog: Catalog, pair: Pair) -> Iterator[Story]:
    """Stories in which a customer enters both journeys, the closest together first. Each is also told of a customer who
    can only be written to on the channels that a cap of both counts, because there they get into each other's way."""
    for made in _meetings(catalog, pair):
        yield from on_channels_of(pair, made)


def on_channels_of(pair: Pair, made: Story) -> Iterator[Story]:
    """A story, and the same of a customer who has said yes on the channels of a cap only."""
    narrow = [_only_on(made, cap.match["channel"]) for cap in pair.caps if "channel" in cap.match]
    yield from (each for number, each in enumerate([made, *narrow]) if each not in [made, *narrow][:number])


def _meetings(catalog: Catalog, pair: Pair) -> Iterator[Story]:
    at_once = merged(pair.one.part.entrance, pair.other.part.entrance)
    if at_once is not None:
        both = zip((pair.one, pair.other), at_once, strict=True)
        yield from stories_of(catalog, [solo.part._replace(entrance=entrance) for solo, entrance in both])
    for first, second in ((pair.one, pair.other), (pair.other, pair.one)):
        for gap_ms in _gaps_ms(first, second):
            yield from stories_of(catalog, [first.part, second.part._replace(gap_ms=gap_ms)])


def _only_on(story: Story, channels: frozenset[str]) -> Story:
    kept = (each for each in story.happenings if not isinstance(each, Consents) or each.channel in channels)
    return msgspec.structs.replace(story, happenings=(*kept,))


def length_ms(cap: Cap) -> int:
    """How long a cap counts; at most so long by the calendar."""
    return _CALENDAR_MS[cap.calendar] if cap.calendar is not None else cap.per_ms


def _gaps_ms(first: Solo, second: Solo) -> list[int]:
    """How long after the first journey the second one is entered: soon; when the first has written; and when what must
    not have happened lately happened long enough ago."""
    windows = (int(wish.body["within"]) for wish in second.part.entrance.way if _must_not_have_been(wish))
    return sorted({5 * MINUTE_MS, first.first_ms + HOUR_MS, *(window_ms + HOUR_MS for window_ms in windows)})


def _must_not_have_been(wish: Wish) -> bool:
    return wish.word == "event" and not wish.holds and "within" in wish.body


def _begins_alike(one: Journey, other: Journey) -> bool:
    return one.trigger.event == other.trigger.event and (one.begins is None) == (other.begins is None)


def _counting(catalog: Catalog, journey: Journey) -> Iterator[str]:
    """The caps that count a message of a journey."""
    for step in journey.steps:
        for action in (catalog.actions[name] for name in step.sending.actions if name in catalog.actions):
            for channel in step.sending.channels:
                yield from (cap.id for cap in caps.over(catalog, caps.place_for(action, channel, "", 0)))


def _writes(catalog: Catalog, journey: Journey) -> bool:
    sent = (catalog.actions.get(name) for step in journey.steps for name in step.sending.actions)
    return journey.tier != "service" and any(action is not None and action.tier != "service" for action in sent)
