"""Brings the facts about things to another number of shards: every shard has every fact, so each new one gets all.

What is still being told anywhere is told anew everywhere: whoever has been told remembers it, so nobody is told twice.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from typing import Final

from actors.shard.things import facts
from actors.shard.things.facts import Done, Progress
from actors.storage.store import Store
from actors.transport.placement import shard_of
from engine import codec

FAMILY: Final = "facts"
_AT_ONCE: Final = 2_000

Row = tuple[bytes, bytes]


def copy(sources: Sequence[Store], targets: Sequence[Store]) -> int:
    """Write the facts of old stores into new ones; returns how many facts there are. What was written before a kill is
    written again."""
    count = 0
    rows = _merged(sources)
    while lot := list(islice(rows, _AT_ONCE)):
        for number, target in enumerate(targets):
            target.write({(FAMILY, key): record for key, record in _rows(lot, sources, number, len(targets))})
        count += sum(key.startswith(facts.FACT) for key, _ in lot)
    for target in targets:
        target.sync()
    return count


def _merged(sources: Sequence[Store]) -> Iterator[Row]:
    """The rows of all old stores, each key once."""
    rows = heapq.merge(*(store.scan(FAMILY) for store in sources), key=lambda row: row[0])
    return (next(found) for _, found in groupby(rows, key=lambda row: row[0]))


def _rows(lot: Sequence[Row], sources: Sequence[Store], number: int, shards: int) -> Iterator[Row]:
    """The rows that one of the new stores gets."""
    for key, record in lot:
        head, name = key[:1], key[1:]
        if head == facts.LATE:
            if shard_of(facts.late_parts(key)[1], shards) == number:
                yield key, record
        elif head == facts.PROGRESS:
            yield key, codec.seal(facts.encode(Progress(told=_told(sources, name) if number == 0 else 0)))
        elif head == facts.DONE:
            if not any(store.get(FAMILY, facts.PROGRESS + name) for store in sources):
                yield key, codec.seal(facts.encode(_done(sources, name, is_first=number == 0)))
        else:
            yield key, record


def _told(sources: Sequence[Store], name: bytes) -> int:
    """How many the old shards have told."""
    under_way = (store.get(FAMILY, facts.PROGRESS + name) for store in sources)
    told = sum(facts.progress_of(record).told for record in under_way if record is not None)
    return told + sum(done.told for done in _all_done(sources, name))


def _done(sources: Sequence[Store], name: bytes, *, is_first: bool) -> Done:
    """What has become of a fact that all have told; the first of the new shards counts whom."""
    found = _all_done(sources, name)
    places = sorted({place for done in found for place in done.places})
    return Done(places, sum(done.told for done in found) if is_first else 0, max(done.at_ms for done in found))


def _all_done(sources: Sequence[Store], name: bytes) -> list[Done]:
    found = (store.get(FAMILY, facts.DONE + name) for store in sources)
    return [facts.done_of(record) for record in found if record is not None]
