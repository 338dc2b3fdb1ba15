"""Which steps of a journey a run can come to, and after how long at the earliest.

Every way through the flat program is gone, with what is known of a customer on it: the trigger and the journey's `when`
hold when it begins, the arms of a branch that were not taken do not hold behind them, no stop has ended the run. Of
several stretches between waits each begins anew, because what was true before a wait need not be true after it. A way
that nobody can go is left out, with the reason.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from engine.catalog.compiled import Step
from engine.clashes.logic.contradictions import Solver, Tree
from engine.clashes.programs.known import always, at_entry, heard_by_a_stop, over_by, unstopped
from engine.clashes.programs.ways import comes_back
from engine.clashes.programs.workspace import Program
from engine.conditions.predicates import tree_of

_STATES_MAX: Final = 2_000  # ways that are gone before it is given up; a journey has hardly a hundred


@dataclass(frozen=True, slots=True)
class Closed:
    """A way from one instruction to another that nobody goes. `arm` is one of a branch, −1 its else; None elsewhere."""

    at: int
    to: int
    why: str
    arm: int | None = None


@dataclass(slots=True)
class Reach:
    """`earliest_ms`: after how long a run comes to each instruction that any run can come to, at the earliest. The end
    is an instruction too. `is_whole`: every way was gone."""

    earliest_ms: dict[int, int] = field(default_factory=dict)
    closed: list[Closed] = field(default_factory=list)
    is_whole: bool = True
    closed_to_all: str = ""  # why nobody can enter at all; empty where somebody can
    undecided: set[int] = field(default_factory=set)  # branches whose conditions are too many to say
    went: set[tuple[int, int | None]] = field(
        default_factory=set
    )  # the arms that somebody takes: the branch, and which

    def shut(self) -> Iterator[Closed]:
        """The ways that nobody goes, however they come to where these begin."""
        for each in self.closed:
            if (each.at, each.arm) not in self.went:
                yield each


@dataclass(frozen=True, slots=True)
class _State:
    elapsed_ms: int
    place: int
    facts: tuple[Tree, ...]


def explore(program: Program, solver: Solver) -> Reach:
    """Go every way through a journey. Where there are too many, what was known before a branch is forgotten behind
    it."""
    reach = _Walk(program, solver).reach
    return reach if reach.is_whole else _Walk(program, solver, forgets=True).reach


class _Walk:
    def __init__(self, program: Program, solver: Solver, *, forgets: bool = False) -> None:
        self.reach = Reach()
        self._program, self._solver, self._forgets = program, solver, forgets
        self._always = [*always(program)]
        self._over = over_by(program)
        jumps = [at for at, step in enumerate(program.steps) if step.kind == "goto"]
        self._returns = {at for at in jumps if comes_back(program, at)}
        self._joined: dict[int, set[int]] = {}
        self._queue: list[tuple[int, int, _State]] = []
        self._order, self._seen = count(), set[tuple[int, str]]()
        self._go()

    def _go(self) -> None:
        facts = tuple(at_entry(self._program))
        if self._solver.never([*self._always, *facts]):
            self.reach.closed_to_all = "no one is ever all of that at once"
            return
        if self._over is not None and self._over[0] <= 0:
            self.reach.closed_to_all = f"{self._over[1]}, before any begins"
            return
        self._come(_State(0, 0, facts), -1)
        while self._queue:
            state = heapq.heappop(self._queue)[2]
            if state.place < len(self._program.steps):
                self._leave(state, self._program.steps[state.place])

    def _come(self, state: _State, since: int) -> None:
        """Put a state into the queue, unless a stop has ended the run by then. `since`: where it comes from."""
        if self._over is not None and state.elapsed_ms >= self._over[0]:
            self._close(since, state.place, self._over[1])
            return
        key = state.place, repr(state.facts)
        if key in self._seen:
            return
        if len(self._seen) >= _STATES_MAX:
            self.reach.is_whole = False
            return
        self._seen.add(key)
        self.reach.earliest_ms.setdefault(state.place, state.elapsed_ms)
        heapq.heappush(self._queue, (state.elapsed_ms, next(self._order), state))

    def _close(self, at: int, to: int, why: str, arm: int | None = None) -> None:
        closed = Closed(at, to, why, arm)
        if closed not in self.reach.closed:
            self.reach.closed.append(closed)

    def _leave(self, state: _State, step: Step) -> None:
        at, elapsed_ms, facts = state.place, state.elapsed_ms, state.facts
        match step.kind:
            case "exit":
                return
            case "wait":
                self._on(_State(elapsed_ms + step.for_ms, at + 1, ()), at)
            case "wait_for":
                self._wait_for(state, step)
            case "branch":
                self._branch(state, step)
            case "split":
                for _, _, target in step.shares:
                    self._on(_State(elapsed_ms, target, facts), at)
            case "parallel":
                for _, target in step.branches:
                    self._on(_State(elapsed_ms, target, facts), at)
            case "jump":
                self._jump(state, step)
            case "goto":
                self._on(_State(elapsed_ms, step.target, facts), at)
                if at in self._returns:
                    self._on(_State(elapsed_ms, at + 1, facts), at)
                else:
                    self._close(at, at + 1, f"the step before it always jumps to {step.to!r}")
            case "webhook":
                self._on(_State(elapsed_ms, at + 1, facts), at)
            case _:  # a send may wait, an update changes what was asked about, a join waits for others
                self._on(_State(elapsed_ms, at + 1, ()), at)

    def _on(self, state: _State, since: int) -> None:
        """Go on behind an instruction; into a join only once the arms are there that it needs."""
        steps = self._program.steps
        if state.place < len(steps) and steps[state.place].kind == "join":
            self._arrive(state, since)
        else:
            self._come(state, since)

    def _jump(self, state: _State, step: Step) -> None:
        self._on(_State(state.elapsed_ms, step.target, state.facts), state.place)

    def _arrive(self, state: _State, since: int) -> None:
        steps = self._program.steps
        fork = next(at for at, step in enumerate(steps) if step.kind == "parallel" and step.target == state.place)
        starts = [target for _, target in steps[fork].branches]
        arrived = self._joined.setdefault(state.place, set())
        arrived.add(max(start for start in starts if start <= since))
        if len(arrived) == len(starts) or not steps[state.place].needs_all:
            self._come(_State(state.elapsed_ms, state.place, ()), since)

    def _wait_for(self, state: _State, step: Step) -> None:
        at = state.place
        stop = heard_by_a_stop(self._program, step)
        if stop is not None:
            self._close(at, step.on_event, f"the stop {stop.id} ends the run on {_words(step)} that wait_for waits for")
        elif step.segment and self._solver.never([{"segment": step.segment}]):
            self._close(at, step.on_event, f"nobody can be in the segment {step.segment}")
        else:
            self._on(_State(state.elapsed_ms, step.on_event, ()), at)
        if step.segment and self._is_met(state, step):
            self._close(at, step.on_timeout, "whoever comes to the wait before it has what it waits for")
        else:
            self._on(_State(state.elapsed_ms + step.for_ms, step.on_timeout, ()), at)

    def _is_met(self, state: _State, step: Step) -> bool:
        """Whether a customer who comes to a wait for a segment is surely inside, or outside, as it waits for."""
        inside: Tree = {"segment": step.segment}
        return self._solver.never([*self._always, *state.facts, {"not": inside} if step.is_inside else inside])

    def _branch(self, state: _State, step: Step) -> None:
        known = [*self._always, *unstopped(self._program, state.elapsed_ms), *state.facts]
        passed: list[Tree] = []
        for arm, (condition, target) in enumerate(step.arms):
            tree = tree_of(condition) or {"all": []}
            self._take(state, target, known, passed, tree, arm)
            passed.append({"not": tree})
        self._take(state, step.target, known, passed, None, -1)

    def _take(
        self, state: _State, target: int, known: list[Tree], passed: list[Tree], tree: Tree | None, arm: int
    ) -> None:
        new = [*passed, tree] if tree is not None else passed
        answer = self._solver.can_hold([*known, *new])
        if answer is None:
            self.reach.undecided.add(state.place)
        if answer is not False:
            self.reach.went.add((state.place, arm))
            told = () if self._forgets else (*state.facts, *new)
            facts = tuple({repr(each): each for each in told}.values())
            self._on(_State(state.elapsed_ms, target, facts), state.place)
        else:
            self._close(state.place, target, self._why(state, known, passed, tree), arm)

    def _why(self, state: _State, known: list[Tree], passed: list[Tree], tree: Tree | None) -> str:
        """The least of what is known that rules an arm out."""
        if tree is None:
            return "the arms before it take everybody"
        never = self._solver.never
        if never([tree]):
            return "nobody is ever like that"
        if never([*passed, tree]):
            return "an arm before it takes everybody who is like that"
        if never([*unstopped(self._program, state.elapsed_ms), tree]):
            return "a stop ends the run of whoever does that in it"
        if never([*self._always, *at_entry(self._program), *passed, tree]):
            return "nobody who enters is like that"
        return "nobody who comes here is like that"


def _words(step: Step) -> str:
    return f"the change of {step.segment}" if step.segment or step.event is None else f"the {step.event.event!r}"
