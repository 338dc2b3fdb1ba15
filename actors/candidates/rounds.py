"""A round of matching: every profile of one shard that waits is compared with all profiles that share a blocking key.

Some profiles are matched at a time, so the memory that a round needs does not grow with the number of profiles. Blocks
that too many profiles have are left out and counted: such a key (a frequent name in a large town) says next to nothing,
and another pass finds the pair. A round that ends anywhere is begun again: a profile waits until it was matched.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from actors.candidates.door import Door
from actors.shard.matching import block_keys
from actors.shard.matching.block_keys import Indexed
from actors.storage import keys
from actors.transport.messages.of_matching import Having, Matched, NextToMatch, RecordsOf
from engine.inputs import Suspect
from engine.matching.comparable import Comparable
from engine.matching.scoring import Matcher, Score, score

BLOCK_MAX: Final = 200  # profiles with one blocking key
_TOGETHER: Final = 50  # profiles matched at a time
_KEPT: Final = 20_000  # records in memory, some 1 KB each
# Of one request: a shard answers it between two groups of turns, within a few milliseconds.
_BLOCKS_ASKED: Final = 200
_RECORDS_ASKED: Final = 250
_TOLD_AT_ONCE: Final = 16

Pair = tuple[str, str]
T = TypeVar("T")


@dataclass(slots=True)
class Report:
    """The work of a round: `profiles` that waited, `pairs` compared, `likely` pairs told, and by pass the blocks that
    were left out."""

    profiles: int = 0
    pairs: int = 0
    likely: int = 0
    frequent: dict[str, int] = field(default_factory=dict)

    def add(self, other: Report) -> None:
        """Count another report in."""
        self.profiles += other.profiles
        self.pairs += other.pairs
        self.likely += other.likely
        for name, blocks in other.frequent.items():
            self.frequent[name] = self.frequent.get(name, 0) + blocks


class Round:
    """One round over one place. `least` is the probability from which on a pair is worth telling; `secret` is the
    workspace's."""

    def __init__(self, door: Door, ready: Matcher, least: float, secret: bytes) -> None:
        self._door, self._ready, self._least, self._secret = door, ready, least, secret
        self._places: Sequence[str] = ()
        self._kept: OrderedDict[str, Comparable] = OrderedDict()
        self._seen: set[str] = set()

    async def run(self, place: str, most: int) -> Report:
        """Match up to `most` of the profiles that wait at a place."""
        self._places = await self._door.places()
        done = Report()
        while done.profiles < most:
            waits = await self._door.ask(place, NextToMatch(min(_TOGETHER, most - done.profiles)))
            fresh = [each for each in waits.profiles if each[0] not in self._seen]
            if not fresh:  # what was to be told has not arrived yet: the next round goes on
                break
            self._seen.update(profile for profile, _, _ in fresh)
            done.add(await self._match(place, fresh))
        return done

    async def _match(self, place: str, waits: list[tuple[str, int, bytes]]) -> Report:
        known = {profile: block_keys.unpack(record) for profile, _, record in waits if record}
        done = Report(profiles=len(waits))
        found = await self._candidates(known, done.frequent)
        opinions = self._opinions(known, found, done)
        await self._tell(opinions)
        done.likely = sum(told.confidence >= self._least for _, told in opinions)
        marks = [(profile, mark) for profile, mark, _ in waits]
        counts = {"pairs": done.pairs, "likely": done.likely}
        await self._door.ask(place, Matched(marks, counts, done.frequent))
        return done

    # -- who may be the same person

    async def _candidates(self, known: Mapping[str, Indexed], frequent: dict[str, int]) -> dict[str, set[str]]:
        """For each profile those that share a block with it, and those that it is linked with. What is compared of all
        of them is in memory then."""
        blocks = {profile: block_keys.hashed(self._secret, each.compared) for profile, each in known.items()}
        members, homes = await self._members({block for each in blocks.values() for block in each})
        found: dict[str, set[str]] = {}
        for profile, passes in blocks.items():
            mine = found[profile] = set()
            for block, name in passes.items():
                if len(members[block]) > BLOCK_MAX:
                    frequent[name] = frequent.get(name, 0) + 1
                else:
                    mine.update(members[block])
            mine.discard(profile)
        await self._fetch({other for each in found.values() for other in each}, homes)
        await self._fetch({other for each in known.values() for other in each.linked}, {})
        return found

    async def _members(self, blocks: set[bytes]) -> tuple[dict[bytes, list[str]], dict[str, str]]:
        """The profiles in each block, and at which place each of them is. Of a block that is too large, some."""
        members: dict[bytes, list[str]] = {block: [] for block in blocks}
        homes: dict[str, str] = {}
        for asked in _slices(sorted(blocks), _BLOCKS_ASKED):
            request = Having(asked, BLOCK_MAX)
            answers = await asyncio.gather(*(self._door.ask(place, request) for place in self._places))
            for place, answer in zip(self._places, answers, strict=True):
                for block, found in zip(asked, answer.profiles, strict=True):
                    profiles = [raw.hex() for raw in found]
                    members[block] += profiles
                    homes |= dict.fromkeys(profiles, place)
        return members, homes

    async def _fetch(self, profiles: set[str], homes: Mapping[str, str]) -> None:
        """Bring to memory what is compared of these profiles. One whose home is not known is looked for everywhere."""
        missing = sorted(profiles - self._kept.keys())
        for place in self._places:
            here = [profile for profile in missing if homes.get(profile, place) == place]
            for asked in _slices(here, _RECORDS_ASKED):
                answer = await self._door.ask(place, RecordsOf([keys.profile_key(profile) for profile in asked]))
                for profile, record in zip(asked, answer.records, strict=True):
                    if record:
                        self._kept[profile] = block_keys.unpack(record).compared
        for profile in profiles & self._kept.keys():
            self._kept.move_to_end(profile)

    # -- how likely that is

    def _opinions(
        self, known: Mapping[str, Indexed], found: Mapping[str, set[str]], done: Report
    ) -> list[tuple[str, Suspect]]:
        """What is worth telling, and whom. A pair is told to the one with the smaller id, whoever of both waits."""
        self._kept.update((profile, each.compared) for profile, each in known.items())
        pairs: dict[Pair, Score] = {}
        for profile, mine in known.items():
            for other in sorted(found[profile].union(mine.linked)):
                pair = min(profile, other), max(profile, other)
                if pair in pairs:
                    continue
                theirs = self._kept.get(other)
                compared = Score(0.0, ()) if theirs is None else score(self._ready, mine.compared, theirs)
                done.pairs += 1
                if compared.probability >= self._least or other in mine.linked:
                    pairs[pair] = compared
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return [(one, _suspect(other, compared)) for (one, other), compared in sorted(pairs.items())]

    async def _tell(self, opinions: Sequence[tuple[str, Suspect]]) -> None:
        for some in _slices(opinions, _TOLD_AT_ONCE):
            await asyncio.gather(*(self._door.tell(profile, told) for profile, told in some))


def _suspect(other: str, compared: Score) -> Suspect:
    why = tuple((reason.comparison, reason.level, round(reason.bits, 2)) for reason in compared.reasons)
    return Suspect(other=other, confidence=compared.probability, why=why)


def _slices(items: Sequence[T], size: int) -> Iterator[list[T]]:
    for at in range(0, len(items), size):
        yield list(items[at : at + size])


async def indexed(door: Door) -> int:
    """How many profiles can be matched, over all places."""
    answers = await asyncio.gather(*(door.ask(place, NextToMatch(0)) for place in await door.places()))
    return sum(answer.indexed for answer in answers)
