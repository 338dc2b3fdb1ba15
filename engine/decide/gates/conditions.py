"""Gates that ask what is true of the customer: eligibility, suppressions and fatigue."""

from __future__ import annotations

from collections.abc import Iterator

from engine.catalog.compiled import Action, Catalog
from engine.decide.gates.candidates import Candidates, Departure
from engine.explain.deciding_part import Failing, failing, holding
from engine.frequency import fatigue
from engine.view import View


def eligible(candidates: Candidates, alive: int) -> int:
    """Drop the candidates whose `eligible` is false for this customer."""
    return alive ^ candidates.drop("eligibility", candidates.plan.eligible.refusing(candidates.view, alive))


def eligibility(_: Catalog) -> Iterator[str]:
    """The one reason of `eligible`."""
    yield "eligibility"


def behind_eligibility(view: View, action: Action, _: str) -> Failing | None:
    """The part of an action's own condition that fails, else the part that fails of what the policies added."""
    own = failing(action.asked, view, action.facts, ("eligible",))
    if own is not None:
        return own
    added = (failing(part, view, at=("after_purchase",)) for part in action.eligible)
    return next((part for part in added if part is not None), None)


def unsuppressed(candidates: Candidates, alive: int) -> int:
    """Drop the candidates that a suppression rule holds back."""
    for rule, asked in candidates.plan.suppressions:
        asking = alive & asked.asking
        if asking:
            alive ^= candidates.drop(f"suppress.{rule}", asking & ~asked.refusing(candidates.view, asking))
    return alive


def is_unsuppressed(leaving: Departure) -> str | None:
    """A decided send must not be held back by a suppression rule."""
    view = leaving.turn.view(trigger=leaving.send.trigger)
    for rule, asked in leaving.plan.suppressions:
        if asked.asking and not asked.refusing(view, asked.asking):
            return f"suppress.{rule}"
    return None


def suppressions(catalog: Catalog) -> Iterator[str]:
    """A reason per rule."""
    yield from (f"suppress.{rule.id}" for rule in catalog.suppressions)


def behind_suppression(view: View, action: Action, reason: str) -> Failing | None:
    """The part of a suppression's condition that holds."""
    which = reason.partition(".")[2]
    for rule in view.catalog.suppressions:
        if rule.id == which:
            return holding(rule.asked or rule.tree, view, action.facts, ("suppress", which, "when"))
    return None


def fresh(candidates: Candidates, alive: int) -> int:
    """Drop the candidates whose category the customer is too tired of."""
    turn, rule = candidates.turn, candidates.turn.catalog.fatigue
    if rule is not None and rule.silence_at is not None and turn.profile.fatigue:
        for key, mask in candidates.plan.tiring:
            if alive & mask and fatigue.level(turn.profile, rule, key, turn.now_ms) >= rule.silence_at:
                alive ^= candidates.drop("suppress.fatigue", alive & mask)
    return alive


def fatigues(catalog: Catalog) -> Iterator[str]:
    """The one reason of `fresh`, where the policies have a rule of fatigue."""
    if catalog.fatigue is not None:
        yield "suppress.fatigue"
