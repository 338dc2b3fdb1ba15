"""The things that gates look at: candidates of a decision or of a journey's send, and a decided send about to leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from engine.catalog.compiled import Action
from engine.decide import placement_plan
from engine.decide.placement_plan import PlacementPlan, bits
from engine.frequency import at_addresses, caps
from engine.profile import Place, Run, Send
from engine.turn_state import Turn
from engine.view import View
from engine.vocabulary import Outcome

NOTHING_HELD: Mapping[int, Place] = MappingProxyType({})


@dataclass(slots=True)
class Candidates:
    """The candidates of one plan, for one customer, and what became of them.

    Candidates are bits of an integer, as in their plan. `held` are the places that some of them hold already; such a
    place is not counted against its own candidate. `run` and `stopped` are of a journey's send: its run, and the reason
    of a stop that covers it. `deadline_ms` (0: none) and `touches_left` (None: any number) are its run's guards. A gate
    that says no to it may say with `until_ms` from when on it would say yes; with `parks` that the run has to wait for
    that, whatever its step says; with `drops` that it waits for nothing; and with `beside` what is told with its
    reason. After a decision `chosen` are those that go (the best first, each with its score and place), `beaten` those
    that passed all gates and were outranked; `dropped` has each reason with the candidates that it removed.
    """

    turn: Turn
    view: View
    plan: PlacementPlan
    count: caps.Count
    held: Mapping[int, Place]
    run: Run | None = None
    stopped: str = ""
    deadline_ms: int = 0
    touches_left: int | None = None
    until_ms: int = 0
    parks: bool = False
    drops: bool = False
    beside: Mapping[str, Any] | None = None
    dropped: list[tuple[str, int]] = field(default_factory=list)
    chosen: list[tuple[int, float, Place]] = field(default_factory=list)
    beaten: int = 0
    is_trial: bool = False  # somebody only asks: no draw is kept

    @classmethod
    def of(cls, turn: Turn, view: View, plan: PlacementPlan, held: Mapping[int, Place] = NOTHING_HELD) -> Candidates:
        """The candidates of a plan before their first gate."""
        # A send is planned without a placement; caps count it differently from what is shown now.
        count = caps.Count(turn.profile, turn.catalog, turn.now_ms, shown_now=bool(plan.placement))
        if turn.profile.lent and not plan.placement:
            count.at_address = at_addresses.counted(turn.profile, turn.catalog, plan.channel, turn.now_ms)
        return cls(turn, view, plan, count, held)

    def drop(self, reason: str, mask: int) -> int:
        """Remove these candidates for a reason; returns the mask of those that are removed."""
        if mask:
            self.dropped.append((reason, mask))
        return mask

    def counted(self, reason: str) -> Mapping[str, str]:
        """What is said beside the reason of a cap that is full at the address, and not for this person."""
        if not self.count.at_address or not reason.startswith("cap."):
            return {}
        name = reason.removeprefix("cap.")
        own = [
            cap for cap in self.turn.catalog.caps if cap.id == name and len(self.count.refs.get(name, ())) >= cap.limit
        ]
        return {} if own or name not in self.count.at_address else at_addresses.COUNTED

    def outcomes(self) -> list[tuple[int, Outcome, str]]:
        """Each candidate with its outcome and its reason: the chosen, then the beaten, then the dropped."""
        rows: list[tuple[int, Outcome, str]] = [(i, "chosen", "") for i, _, _ in self.chosen]
        last = self.plan.actions[self.chosen[-1][0]].id if self.chosen else ""
        rows += [(i, "outranked", f"outranked.{last}") for i in bits(self.beaten)]
        return rows + [(i, "dropped", reason) for reason, mask in self.dropped for i in bits(mask)]


@dataclass(slots=True)
class TriedCandidates(Candidates):
    """Candidates of which every objection is wanted. No candidate is removed, so every rule of every gate is asked."""

    is_trial: bool = True

    def drop(self, reason: str, mask: int) -> int:
        """Write the reason down; returns the empty mask."""
        Candidates.drop(self, reason, mask)
        return 0


@dataclass(frozen=True, slots=True)
class Departure:
    """A decided send just before it is handed to its provider. `action` is None where the catalog that its run entered
    under has no such action, `place` where the send holds none any more."""

    turn: Turn
    send: Send
    action: Action | None
    place: Place | None

    @classmethod
    def of(cls, turn: Turn, send: Send) -> Departure:
        """The send with its action, as the catalog that its run entered under has it, and its place."""
        entered = turn.catalog.of_version(send.version).actions.get(send.action)
        return cls(turn, send, entered, caps.find(turn.profile, send.id))

    @property
    def plan(self) -> PlacementPlan:
        """The rules that its action is under today."""
        assert self.action is not None, "the first gate asks for the action"
        return placement_plan.of_send(self.turn.catalog, self.send.channel, self.action, self.send.version)
