"""The proof of clashes: which journeys meet at one customer, and who wins. Each finding has a story that shows it.

`segue validate` alone asks for it. A catalog that is posted, or that a running engine reloads, does not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import chain, islice
from typing import Final

import msgspec

from actors.catalog_proof import single_journeys
from actors.catalog_proof.letters import TakesTooLong
from actors.catalog_proof.witnesses import TRIED_MAX, Stage
from engine.catalog.compiled import Catalog, Journey
from engine.catalog.document import Document, in_folder
from engine.catalog.models import Models
from engine.catalog.problems import Problem, spelled
from engine.clashes import fillings, making, meetings, notes
from engine.clashes.entrances import entrances
from engine.clashes.findings import Finding, Kind, Verdict, Witness
from engine.clashes.making import Part
from engine.clashes.meetings import Pair, Solo
from engine.clashes.shortening import Shown
from engine.clashes.single import rules
from engine.clashes.stories import Story, Told
from engine.clashes.verdicts import held_in, says_enough, verdict, weight
from engine.clashes.words import lines, reason_in_words

PAIRS_MAX: Final = 100
_OF_A_PAIR: Final = 40  # stories that must be left so that another pair is looked at
_ALL: Final = "journeys"  # where a note about all of them stands
_UNBOUNDED: Final[AbstractContextManager[None]] = nullcontext()
Locate = Callable[[Problem], Problem]


def findings(
    catalog: Catalog,
    document: Document,
    models: Models,
    located: Locate,
    rehearsing: AbstractContextManager[None] = _UNBOUNDED,
) -> tuple[Finding, ...]:
    """Everything that the proof of clashes finds, by file and line. `located` gives a problem its line. `rehearsing` is
    entered for all of it, and may end it by TakesTooLong: then what was found by then is told, and that there may be
    more."""
    proof, found = _Proof(catalog, document, located), list[Finding]()
    try:
        with rehearsing:
            for each in chain(proof.of_single(document, models), proof.of_pairs()):
                found.append(each)
    except TakesTooLong:
        found.append(_unlocated("pairs", "not all clashes were looked for: that takes too long"))
    return tuple(sorted(found, key=lambda each: (each.file == _ALL, each.file, each.line, each.message)))


def _unlocated(path: str, message: str) -> Finding:
    """A note about all journeys together."""
    return Finding("note", _ALL, 0, path, message)


class _Proof:
    def __init__(self, catalog: Catalog, document: Document, located: Locate) -> None:
        self._catalog, self._located = catalog, located
        self._files = {str(data.get("id")): file for file, data in in_folder(document, "journeys").items()}
        self._stage = Stage(catalog)
        self._shut = set[str]()  # journeys that nobody can enter, which is told of them

    def of_single(self, document: Document, models: Models) -> Iterator[Finding]:
        """What is found of single journeys, with a story where one shows it."""
        proof = rules.Proof.of(document, models)
        self._shut = {program.id for program, reach in proof.reached if reach.closed_to_all}
        for kind, problem, shown in single_journeys.found(self._catalog, proof):
            yield self._finding(kind, problem, shown)

    def of_pairs(self) -> Iterator[Finding]:
        """A note for each pair of journeys that can reach one customer within one window, and one for each journey of
        which that cannot be said. Asked for after the single journeys."""
        solos = list[Solo]()
        players = [each for each in meetings.players(self._catalog) if each.id not in self._shut]
        for journey in players if len(players) > 1 else ():
            alone = self._alone(journey)
            if isinstance(alone, Solo):
                solos.append(alone)
            else:
                yield self._note(journey, notes.of_undecided(journey, alone))
        yield from self._meetings(meetings.pairs(self._catalog, solos))
        if self._stage.broken_off:
            yield _unlocated("pairs", notes.of_broken_off(self._stage.broken_off))

    def _meetings(self, pairs: list[Pair]) -> Iterator[Finding]:
        for number, pair in enumerate(pairs):
            if number == PAIRS_MAX or self._stage.left < _OF_A_PAIR:
                yield _unlocated("pairs", notes.of_left_out(len(pairs) - number))
                return
            found = self._meeting(pair)
            if found is not None:
                said, shown = found
                note = self._note(pair.other.journey, notes.of_verdict(pair, said), shown)
                yield msgspec.structs.replace(note, verdict=said)

    def _alone(self, journey: Journey) -> Solo | str:
        """The journey by itself, or why no story was found in which it writes to anybody."""
        found, reason = entrances(self._catalog, journey)
        if not found:
            return reason
        reason = "no story was found that enters it"
        for part, story in islice(self._stories(journey), TRIED_MAX):
            told = self._stage.rehearse(story, [journey.id])
            if told is None:
                return "there are too many journeys"
            entered_ms, first = told.entered_ms(journey.id), next(told.left(journey.id), None)
            if entered_ms is not None and first is not None:
                return Solo(journey, part, told, first.at_ms - entered_ms)
            held = next(told.held(journey.id), None)
            if entered_ms is not None:
                why = reason_in_words(held.reason) if held is not None else "nothing is sent in it"
                reason = f"a story enters it, and {why}"
        return reason

    def _stories(self, journey: Journey) -> Iterator[tuple[Part, Story]]:
        """Stories that lead into a journey, then those that lead to each step that sends."""
        sends = (step.id for step in journey.steps if step.kind == "send")
        to_sends = (making.parts_to(self._catalog, journey, step) for step in sends)
        for part in chain(making.into(self._catalog, journey), *to_sends):
            for story in making.stories_of(self._catalog, [part]):
                yield part, story

    def _meeting(self, pair: Pair) -> tuple[Verdict, Shown] | None:
        """The verdict that matters most of those that stories show, with the shortest story that shows it and holds
        back nothing else."""
        best: tuple[Verdict, Story, Told] | None = None
        for found, story, told in self._verdicts(pair, islice(meetings.stories(self._catalog, pair), TRIED_MAX)):
            if best is None or weight(pair, found, told) < weight(pair, *best[::2]):
                best = found, story, told
            if says_enough(pair, found, told):
                break
        if best is not None and best[0].kind == "room":
            filling = islice(fillings.stories(self._catalog, pair), fillings.TRIED_MAX)
            full = (each for each in self._verdicts(pair, filling) if each[0].kind == "held")
            best = next(full, best)
        if best is None:
            return None
        said, story, told = best
        held = held_in(told)

        def shows(shorter: Story, found: Told) -> bool:
            is_same = verdict(pair, found) == said and weight(pair, said, found) <= weight(pair, said, told)
            return is_same and held_in(found) <= held

        return said, self._stage.shorten(story, told, pair.journeys, shows)

    def _verdicts(self, pair: Pair, stories: Iterable[Story]) -> Iterator[tuple[Verdict, Story, Told]]:
        for story in stories:
            told = self._stage.rehearse(story, pair.journeys)
            found = None if told is None else verdict(pair, told)
            if told is not None and found is not None:
                yield found, story, told

    def _note(self, journey: Journey, message: str, shown: Shown | None = None) -> Finding:
        return self._finding("note", Problem(self._files[journey.id], ("trigger",), message), shown)

    def _finding(self, kind: Kind, problem: Problem, shown: Shown | None) -> Finding:
        placed = self._located(problem)
        witness = None if shown is None else Witness(*shown, lines(self._catalog, *shown))
        return Finding(kind, placed.file, placed.line, spelled(placed.loc), placed.message, witness)
