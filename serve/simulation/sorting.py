"""Sorts a history into groups of neighbourhoods, on disk: each group can be simulated by itself."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from engine.catalog.compiled import Catalog
from serve.simulation.neighbourhoods import Neighbourhoods, places_of
from serve.simulation.sources import EVERYWHERE, Lot, Source
from serve.simulation.spool import Block, Spool, pack, packed_in
from serve.simulation.workers import share_out

GROUP_INPUTS = 15_000  # neighbourhoods together have so many, or one of them has more


class Reads(Protocol):
    """Who is told of each lot that was read."""

    last_ms: int | None

    def take(self, lot: Lot) -> None:
        """A lot was read."""
        ...


@dataclass(slots=True)
class Gathered:
    """A lot that was read: where its inputs are, how many each place has, and which places are neighbours."""

    lot: Lot
    block: Block | None
    places: Counter[str]
    neighbours: list[frozenset[str]]
    last_ms: int | None


@dataclass(slots=True)
class Reading:
    """Reads lots in a process."""

    catalog: Catalog
    source: Source
    folder: Path
    _known: set[frozenset[str]] = field(default_factory=set)  # told before by this process
    _spool: Spool | None = None

    def read(self, numbered: tuple[int, Any]) -> Gathered:
        """Read a lot, and put its inputs on disk."""
        number, raw = numbered
        lot = raw if isinstance(raw, Lot) else self.source.read(self.catalog, raw)
        self._spool = self._spool or Spool(self.folder, "read")
        mine = (each for each in lot.told if each.place != EVERYWHERE)
        neighbours = {places_of(self.catalog, each.place, each.told) for each in mine} - self._known
        self._known |= neighbours
        block = self._spool.put(number, pack(lot.told)) if lot.told else None
        last_ms = max((each.at_ms for each in lot.told), default=None)
        places = Counter(each.place for each in lot.told if each.place != EVERYWHERE)
        lot.told = []
        return Gathered(lot, block, places, [*neighbours], last_ms)


@dataclass(slots=True)
class Groups:
    """The blocks that were read, and the group of each place."""

    blocks: list[Block]
    of_place: Mapping[str, int]

    @property
    def count(self) -> int:
        """How many groups there are."""
        return max(self.of_place.values(), default=-1) + 1


def gather(processes: int, reading: Reading, lots: Iterable[Any], reads: Reads) -> Groups:
    """Read all lots, and find out who are neighbours."""
    neighbourhoods, places, blocks = Neighbourhoods(), Counter[str](), list[Block]()
    for found in share_out(processes, reading.read, enumerate(lots)):
        reads.take(found.lot)
        if found.last_ms is not None:
            reads.last_ms = max(found.last_ms, reads.last_ms or 0)
        places.update(found.places)
        for neighbours in found.neighbours:
            neighbourhoods.join(neighbours)
        if found.block is not None:
            blocks.append(found.block)
    return Groups(blocks, dict(_grouped(neighbourhoods, places)))


def _grouped(neighbourhoods: Neighbourhoods, places: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """The group of each place: neighbourhoods one after the other, until a group is full."""
    of_top: defaultdict[str, list[str]] = defaultdict(list)
    for place in sorted(places):
        of_top[neighbourhoods.of(place[:-2])].append(place)
    group = size = 0
    for members in of_top.values():
        if size >= GROUP_INPUTS:
            group, size = group + 1, 0
        for place in members:
            yield place, group
            size += places[place]


@dataclass(slots=True)
class _Sorting:
    """Sorts blocks in a process."""

    groups: Groups
    folder: Path
    _spool: Spool | None = None

    def sort(self, block: Block) -> dict[int, Block]:
        """The inputs of a block in new blocks, by their groups."""
        self._spool = self._spool or Spool(self.folder, "sorted")
        of_group: defaultdict[int, list[Any]] = defaultdict(list)
        for packed in packed_in(block):
            for group in self._groups(packed[1]):
                of_group[group].append(packed)
        return {group: self._spool.put(block.lot, inputs) for group, inputs in of_group.items()}

    def _groups(self, place: str) -> Iterable[int]:
        return (self.groups.of_place[place],) if place != EVERYWHERE else range(self.groups.count)


def sort(processes: int, groups: Groups, folder: Path) -> dict[int, list[Block]]:
    """The blocks of each group, in the order of time."""
    found: defaultdict[int, list[Block]] = defaultdict(list)
    for by_group in share_out(processes, _Sorting(groups, folder).sort, groups.blocks):
        for group, block in by_group.items():
            found[group].append(block)
    for path in {block.path for block in groups.blocks}:
        path.unlink()
    return found
