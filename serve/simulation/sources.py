"""Where a simulated history comes from: lots of lines, each of which becomes inputs for profiles, in order of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from actors.catalog_files import event_files
from actors.catalog_files.event_files import Line
from engine.catalog.compiled import Catalog
from engine.errors import InvalidInput
from engine.handoffs.touchpoints import kinds_of
from engine.inputs import AnyInput
from serve.ingest import pipeline, segment_format
from serve.ingest.facts import read_fact
from serve.ingest.items import REJECTED, Item

LOT_LINES = 5_000
EVERYWHERE: Final = ""  # the place of what all who are interested are told
_SOURCE: Final = "server"  # the name of the key with which a replay imports, so that both tell the engine the same


class Begin(NamedTuple):
    """How somebody begins: a packed record, and the rows of the history beside it."""

    state: bytes
    history: list[tuple[bytes, bytes]]


class Told(NamedTuple):
    """An input, the place that it is for, and when it comes; or how somebody begins."""

    at_ms: int
    place: str
    told: AnyInput | Begin


@dataclass(slots=True)
class Lot:
    """The inputs of some lines, in order of time. `problems` has (where, what) of everything that was not taken,
    `counts` what the tracking plan has set aside or warned of. `older` lines came late: behind a newer one."""

    told: list[Told] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    lines: int = 0
    older: int = 0


class Source(Protocol):
    """A history. Its raw lots may be read in another process than the one that gets them from here. They come in the
    order of time where it `is_ordered`."""

    is_ordered: bool

    def lots(self) -> Iterator[Any]:
        """The raw lots."""
        ...

    def read(self, catalog: Catalog, raw: Any) -> Lot:
        """The inputs of a raw lot."""
        ...


class EventFiles:
    """Event files, as a door would take them."""

    is_ordered = True

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files

    def lots(self) -> Iterator[list[Line]]:
        """The lines of all files, in lots."""
        return (lot for lot, _ in event_files.chunks(event_files.read(self._files), LOT_LINES))

    def read(self, catalog: Catalog, raw: list[Line]) -> Lot:
        """The events of a lot, each with the time of its line, by which the windows order them."""
        lot, late = Lot(lines=len(raw)), [line.where for line in raw if line.is_older]
        facts, raw = facts_of(raw, lot.problems, catalog.id_key)
        found = _parsed(raw, lot, catalog)
        items = [item for _, item in found]
        pipeline.find_each_profile(catalog, items)
        for line, item in found:
            if item.result == REJECTED:
                lot.problems.append((line.where, f"{item.message}: its identifiers are blocked values"))
        lot.counts["warned"] += pipeline.quarantine_what_is_not_to_be_sent(catalog, items)
        for line, item in found:
            if item.event is not None:
                lot.told.append(Told(line.at_ms, item.profile, item.event))
            elif item.result != REJECTED:
                lot.counts["quarantined"] += 1
                lot.problems.append((line.where, f"{item.field}: {item.reason}"))
        if facts:
            lot.told = sorted([*lot.told, *facts], key=lambda told: told.at_ms)
        lot.older = len({*late} - {where for where, _ in lot.problems})
        return lot


def facts_of(lines: list[Line], problems: list[tuple[str, str]], id_key: bytes) -> tuple[list[Told], list[Line]]:
    """The facts about things of a lot, which are for no place of their own, and the other lines."""
    facts, others = [], []
    for line in lines:
        if line.problem or (said := event_files.fact_in(line.raw)) is None:
            others.append(line)
            continue
        try:
            facts.append(Told(line.at_ms, EVERYWHERE, read_fact(said, _SOURCE, line.at_ms, id_key)))
        except InvalidInput as fault:
            problems.append((line.where, str(fault)))
    return facts, others


def _parsed(lines: list[Line], lot: Lot, catalog: Catalog) -> list[tuple[Line, Item]]:
    """The good lines with their items; the others become problems, with the reason."""
    lot.problems += [(line.where, line.problem) for line in lines if line.problem]
    good = [line for line in lines if not line.problem]
    try:
        return _good(good, _parse(good, catalog), lot)
    except InvalidInput:  # one line spoils the whole batch: read each line alone to find it
        return [pair for line in good for pair in _parsed_alone(line, lot, catalog)]


def _parsed_alone(line: Line, lot: Lot, catalog: Catalog) -> list[tuple[Line, Item]]:
    try:
        return _good([line], _parse([line], catalog), lot)
    except InvalidInput as fault:
        lot.problems.append((line.where, str(fault)))
        return []


def _good(lines: list[Line], items: list[Item], lot: Lot) -> list[tuple[Line, Item]]:
    """The items that are events, each with its line; the rejected ones become problems."""
    for item in items:
        if item.result == REJECTED:
            told = f"{item.field}: {item.message}".removeprefix(": ")
            lot.problems.append((lines[item.index].where, told))
    return [(lines[item.index], item) for item in items if item.event is not None]


def _parse(lines: list[Line], catalog: Catalog) -> list[Item]:
    body = b'{"batch":[' + b",".join(line.raw for line in lines) + b"]}"
    received_at_ms = lines[-1].at_ms if lines else 0
    return segment_format.parse_body(
        body,
        None,
        source=_SOURCE,
        channel="",
        received_at_ms=received_at_ms,
        imported=True,
        country=catalog.country,
        rules=catalog.identity,
        touchpoints=kinds_of(catalog),
    ).items
