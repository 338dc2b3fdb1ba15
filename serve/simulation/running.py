"""Runs a history through a catalog: in this process where it is short, else neighbourhood by neighbourhood.

    lots of lines ──read──► inputs, on disk ──sort──► by group of neighbourhoods ──simulate──► counts and lines

Each of the three is done by as many processes as are asked for. A group is simulated from its first event to its last
and then forgotten, so memory grows with neither events nor customers. Where customers compete for a budget, they all
have to do with each other; then one engine takes the whole history.
"""

from __future__ import annotations

import gc
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final

from actors.replay_clock.simulated import FOR_EVER_MS, SimulatedEngine
from actors.replay_clock.windows import WINDOW_MS
from engine.catalog.compiled import Catalog
from engine.inputs import Fact
from engine.vocabulary import Accepted, Settlement
from serve.simulation import lines, sorting
from serve.simulation.counted import Counted, Counting
from serve.simulation.letters import Letters
from serve.simulation.lines import Lines
from serve.simulation.sources import EVERYWHERE, Begin, Lot, Source, Told
from serve.simulation.spool import Block, told_in
from serve.simulation.workers import rarely_collected, share_out

SHORT_INPUTS = 30_000  # a history of so many is simulated at once: to sort it would take longer
_AFTER_MS: Final = 30_000  # without a drain: sends that the last lines started may arrive, and nothing later


@dataclass(slots=True)
class Options:
    """How a history is run. `processes` changes nothing but how long it takes."""

    processes: int = 1
    drain: bool = True
    render: bool = False
    since_ms: int = 0  # what happens from then on is counted


@dataclass(slots=True)
class Past:
    """A history after it was run through one catalog. `problems` has (where, what) of everything that was not taken,
    `counts` of things that most histories do not have."""

    counted: Counted = field(default_factory=Counted)
    problems: list[tuple[str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    lines: int = 0
    last_ms: int | None = None

    def take(self, lot: Lot) -> None:
        """A lot was read."""
        self.problems += lot.problems
        self.counts += lot.counts
        self.lines += lot.lines
        if lot.told:
            self.last_ms = max(self.last_ms or 0, *(each.at_ms for each in lot.told))

    def join(self, other: Past) -> None:
        """Another part of the history was run."""
        self.counted.join(other.counted)
        self.problems += other.problems
        self.counts += other.counts


def run(catalog: Catalog, source: Source, options: Options, out: IO[bytes] | None = None) -> Past:
    """Run a history. What happened is written to `out`."""
    past, raw = Past(), source.lots()
    if catalog.budgets:
        return _at_once(catalog, _in_order(source, _reading(catalog, source, raw, past)), past, options, out)
    first: list[Lot] = []
    while sum(len(lot.told) for lot in first) < SHORT_INPUTS:
        following = next(raw, None)
        if following is None:
            for lot in first:
                past.take(lot)
            return _at_once(catalog, _in_order(source, [lot.told for lot in first]), past, options, out)
        first.append(source.read(catalog, following))
    return _in_groups(catalog, source, chain(first, raw), past, options, out)


def _reading(catalog: Catalog, source: Source, raw: Iterable[Any], past: Past) -> Iterator[list[Told]]:
    for each in raw:
        lot = source.read(catalog, each)
        past.take(lot)
        yield lot.told


def _in_order(source: Source, lots: Iterable[list[Told]]) -> Iterable[list[Told]]:
    """Lots in the order of time: one of all inputs, where they do not come so."""
    return lots if source.is_ordered else [sorted(chain.from_iterable(lots), key=lambda each: each.at_ms)]


def _at_once(catalog: Catalog, lots: Iterable[list[Told]], past: Past, options: Options, out: IO[bytes] | None) -> Past:
    with rarely_collected():
        past.join(_engine(catalog, lots, options, out, past))
    return past


def _in_groups(
    catalog: Catalog, source: Source, lots: Iterable[Lot | Any], past: Past, options: Options, out: IO[bytes] | None
) -> Past:
    with tempfile.TemporaryDirectory(prefix="segue-simulate-") as name:
        folder, processes = Path(name), options.processes
        groups = sorting.gather(processes, sorting.Reading(catalog, source, folder), lots, past)
        by_group = sorting.sort(processes, groups, folder)
        job = _Job(catalog, source, options, folder if out is not None else None, past.last_ms)
        largest_first = sorted(by_group.items(), key=lambda row: -sum(block.size for block in row[1]))
        parts = []
        for part, path in share_out(processes, job.run, largest_first):
            past.join(part)
            parts.append(path)
        if out is not None:
            lines.merge(sorted(path for path in parts if path is not None), out)
    return past


@dataclass(frozen=True, slots=True)
class _Job:
    """Simulates one group after the other in a process."""

    catalog: Catalog
    source: Source
    options: Options
    folder: Path | None
    last_ms: int | None

    def run(self, group: tuple[int, list[Block]]) -> tuple[Past, Path | None]:
        """The counts of a group, and where its lines are."""
        number, blocks = group
        path = None if self.folder is None else self.folder / f"lines-{number:06}"
        lots = _in_order(self.source, (told_in(block) for block in blocks))
        past = Past(last_ms=self.last_ms)
        with ExitStack() as opening:
            out = None if path is None else opening.enter_context(path.open("wb"))
            ended = _engine(self.catalog, lots, self.options, out, past)
        gc.collect()  # its engine, whose parts know each other
        return ended, path


def _engine(catalog: Catalog, lots: Iterable[list[Told]], options: Options, out: IO[bytes] | None, known: Past) -> Past:
    """Run inputs through an engine of their own."""
    letters = Letters(catalog) if options.render else None
    written = None if out is None else Lines(out)
    counting = Counting(catalog, written, letters, options.since_ms)
    provider = letters.take if letters else _accepting(catalog)
    engine = SimulatedEngine(catalog, counting.observer, provider, counting.heard)
    reached_ms = 0
    for told in lots:
        if told:
            engine.advance(max(told[0].at_ms - 1, reached_ms))
            reached_ms = max(told[0].at_ms - 1, reached_ms)
            if written is not None:
                written.write(reached_ms)
            _stage(engine, told)
    if known.last_ms is not None:
        # To the end of the whole history first, as a conductor does: after it no schedule and no date begins anything.
        engine.advance(known.last_ms if options.drain else (known.last_ms // WINDOW_MS + 1) * WINDOW_MS + _AFTER_MS)
        if options.drain:
            engine.advance(FOR_EVER_MS)
    if written is not None:
        written.write()
    return _ended(engine, counting.counted, letters)


def _stage(engine: SimulatedEngine, told: list[Told]) -> None:
    inputs = []
    for each in told:
        if isinstance(each.told, Begin):
            engine.begin(each.place, each.told.state, each.told.history)
        elif isinstance(each.told, Fact) and each.place == EVERYWHERE:
            engine.take(each.told)
        else:
            inputs.append((each.place, each.told, each.at_ms))
    engine.stage(inputs)


def _ended(engine: SimulatedEngine, counted: Counted, letters: Letters | None) -> Past:
    shard, past = engine.shard, Past(counted)
    for letter in reversed(shard.dead.all()):
        past.problems.append((f"profile {letter.profile}", f"a turn failed and was set aside: {letter.reason}"))
    counted.profiles = shard.profiles
    if letters is not None:
        past.counts["refused"] = len(letters.refused)
        past.problems += letters.refused
    return past


def _accepting(catalog: Catalog) -> Any:
    def accepted(message: dict[str, Any]) -> Accepted | Settlement:
        """Each message is accepted as its channel's own provider would."""
        channel = catalog.channels.get(message["channel"])
        return "simulated" if channel is not None and channel.provider == "sandbox" else "sent"

    return accepted
