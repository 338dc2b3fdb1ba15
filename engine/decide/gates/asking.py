"""Asks the gates in their order: for decisions, for journeys' sends, and for people who want to know why."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Final

from engine.catalog.compiled import Action, Catalog
from engine.decide.gates.candidates import Candidates, Departure, TriedCandidates
from engine.decide.gates.gate import Gate, Strike, When
from engine.decide.gates.order import GATES
from engine.decide.placement_plan import PlacementPlan
from engine.profile import Send
from engine.turn_state import Turn
from engine.view import View

Parts = frozenset[str]  # the parts of a plan that are not empty


@cache
def _asked(parts: Parts, *when: When) -> tuple[tuple[Gate, Strike], ...]:
    """The gates that are asked at these moments, in order, each with its function. Gates that have nothing to ask are
    left out. The answer is kept, because every decision needs it and there are few different sets of parts."""
    return tuple(
        (gate, gate.strike)
        for gate in GATES
        if gate.strike and not gate.asked.isdisjoint(when) and (not gate.about or not parts.isdisjoint(gate.about))
    )


@cache
def _strikes(parts: Parts, when: When) -> tuple[Strike, ...]:
    return tuple(strike for _, strike in _asked(parts, when))


_DEPARTURE: Final = tuple(gate.refuse for gate in GATES if gate.refuse)
_NUMBERED: Final = sorted((part for gate in GATES for part in gate.numbered), key=lambda part: part.block)


def before_ranking(candidates: Candidates) -> int:
    """The candidates that pass all gates before ranking."""
    plan = candidates.plan
    alive = plan.everyone
    for strike in _strikes(plan.asked_about, "ranking"):
        alive = strike(candidates, alive)
    return alive


def stops_best(candidates: Candidates, best: int) -> Gate | None:
    """The gate that removes the candidate that ranks best, given as its bit; None where it passes all."""
    for gate, strike in _asked(candidates.plan.asked_about, "choosing"):
        if not strike(candidates, best):
            return gate
    return None


def after_choice(candidates: Candidates, alive: int) -> int:
    """The candidates of `alive` that may still go after the last choice has taken its place."""
    for strike in _strikes(candidates.plan.asked_about, "chosen"):
        alive = strike(candidates, alive)
    return alive


def against_display(candidates: Candidates) -> str:
    """The first reason against the single candidate of a plan, asked as a decision asks it; empty where it may go."""
    return _first(candidates, "ranking", "choosing")


def against_send(candidates: Candidates) -> str:
    """The first reason against a journey's send whose turn has come; empty where it may go."""
    return _first(candidates, "ranking", "choosing", "send")


def against_departure(turn: Turn, send: Send) -> str:
    """The first reason against handing over a decided send; empty where it may leave."""
    leaving = Departure.of(turn, send)
    for refuse in _DEPARTURE:
        reason = refuse(leaving)
        if reason:
            return reason
    return ""


def objections(turn: Turn, view: View, plan: PlacementPlan) -> list[str]:
    """Every reason against the single candidate of a plan, not only the first. For people who ask what a rule costs;
    gates that ask about one run of a journey are left out."""
    found: list[str] = []
    for gate, strike in _asked(plan.asked_about, "ranking", "choosing"):
        tried = TriedCandidates.of(turn, view, plan)
        strike(tried, tried.plan.everyone)
        reasons = [reason for reason, _ in tried.dropped]
        found += reasons if gate.names_every_rule else reasons[:1]
    return found


def behind(view: View, action: Action, reason: str) -> dict[str, Any]:
    """`{"condition": {"path", "wanted", "saw"}}` for a reason that comes from a condition, else nothing."""
    for gate in GATES:
        if gate.behind is not None and gate.gives(reason):
            part = gate.behind(view, action, reason)
            return {"condition": part.plain} if part is not None else {}
    return {}


def gate_of(reason: str) -> str:
    """The name of the gate that gives a reason; empty where none does."""
    return next((gate.name for gate in GATES if gate.gives(reason)), "")


def empties_slot(reason: str) -> bool:
    """Whether nobody moves up into the place of a candidate that was removed for a reason."""
    return any(gate.empties_slot and gate.gives(reason) for gate in GATES)


def numbered(catalog: Catalog) -> Iterable[str]:
    """Every reason for which a candidate of this catalog can be dropped, in the order of their numbers in receipts."""
    for part in _NUMBERED:
        yield from part.of(catalog)


def _first(candidates: Candidates, *when: When) -> str:
    alive = candidates.plan.everyone
    for _, strike in _asked(candidates.plan.asked_about, *when):
        alive = strike(candidates, alive)
        if not alive:
            return candidates.dropped[0][0]
    return ""
