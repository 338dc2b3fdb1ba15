"""The funnel of each journey: who entered, came to which step, was sent what or why not, was stopped, and converted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from engine.audit import Entry
from engine.catalog.compiled import Catalog, Journey
from engine.inputs import Event
from engine.journeys import outcomes
from engine.profile import Profile


@dataclass(slots=True)
class StepCounts:
    """One step: how many runs came to it, and what became of its messages."""

    reached: int = 0
    sent: int = 0
    held: Counter[str] = field(default_factory=Counter)

    def join(self, other: StepCounts) -> None:
        """Add the counts of other runs."""
        self.reached += other.reached
        self.sent += other.sent
        self.held += other.held

    def told(self) -> dict[str, Any]:
        """These counts as the summary has them; a step without messages has no counts of them."""
        told: dict[str, Any] = {"reached": self.reached}
        if self.sent or self.held:
            told |= {"sent": self.sent, "held": dict(sorted(self.held.items()))}
        return told


@dataclass(slots=True)
class Funnel:
    """One journey. A run counts at a step once, however often it waits there; a message that is held again and again
    counts each time, as in the whole."""

    entered: int = 0
    completed: int = 0
    converted: int = 0
    stopped: Counter[str] = field(default_factory=Counter)
    steps: dict[str, StepCounts] = field(default_factory=dict)

    def at(self, step: str) -> StepCounts:
        """The counts of a step."""
        return self.steps.setdefault(step, StepCounts())

    def join(self, other: Funnel) -> None:
        """Add the counts of other runs."""
        self.entered += other.entered
        self.completed += other.completed
        self.converted += other.converted
        self.stopped += other.stopped
        for step, counts in other.steps.items():
            self.at(step).join(counts)

    def ends(self) -> dict[str, int]:
        """How runs began and ended."""
        return {"entered": self.entered, "completed": self.completed, "stopped": self.stopped.total()}

    def told(self, journey: Journey | None) -> dict[str, Any]:
        """The funnel as the summary has it, its steps in the order of the journey. `converted` is there where the
        journey says what counts."""
        order = {step.id: place for place, step in enumerate(journey.steps)} if journey is not None else {}
        steps = sorted(self.steps.items(), key=lambda row: (order.get(row[0], len(order)), row[0]))
        held = sum((counts.held for _, counts in steps), Counter[str]())
        told: dict[str, Any] = {
            "entered": self.entered,
            "steps": {step: counts.told() for step, counts in steps},
            "sent": sum(counts.sent for _, counts in steps),
            "held": dict(sorted(held.items())),
            "stopped": dict(sorted(self.stopped.items())),
            "completed": self.completed,
        }
        if journey is not None and journey.outcome is not None:
            told["converted"] = self.converted
        return told


class Funnels:
    """Counts the runs of one engine. It remembers the runs that are under way, and those that have converted."""

    def __init__(self, catalog: Catalog, found: dict[str, Funnel]) -> None:
        self._catalog, self._found = catalog, found
        self._at: dict[str, set[str]] = {}  # the steps that each run has come to
        self._converted: set[str] = set()

    def journey(self, entry: Entry, what: str) -> None:
        """A run has entered or completed."""
        funnel = self._of(entry.journey)
        if what == "entered":
            funnel.entered += 1
        else:
            funnel.completed += 1
            self._at.pop(entry.run, None)

    def stopped(self, entry: Entry) -> None:
        """A run was stopped."""
        self._of(entry.journey).stopped[entry.reason] += 1
        self._at.pop(entry.run, None)

    def reached(self, journey: str, run: str, step: str) -> None:
        """A run has come to a step, or waits there still."""
        steps = self._at.setdefault(run, set())
        if step not in steps:
            steps.add(step)
            self._of(journey).at(step).reached += 1

    def send(self, entry: Entry, *, has_arrived: bool) -> None:
        """Something became of a message."""
        if not entry.journey:
            return
        if has_arrived:  # its run may have gone on, or ended, since it was decided
            self._of(entry.journey).at(entry.step).sent += 1
        elif entry.outcome in ("decided", "held"):
            self.reached(entry.journey, entry.run, entry.step)
            if entry.outcome == "held":
                self._of(entry.journey).at(entry.step).held[entry.reason] += 1

    def heard(self, profile: Profile, event: Event) -> None:
        """An event has had its turn: which runs reach their outcome by it?"""
        for run in outcomes.reached_by(self._catalog, profile, event):
            if run.id not in self._converted:
                self._converted.add(run.id)
                self._of(run.journey).converted += 1

    def _of(self, journey: str) -> Funnel:
        return self._found.setdefault(journey, Funnel())
