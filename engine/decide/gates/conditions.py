"""Gates that ask what is true of the customer: eligibility, suppressions and fatigue."""

from __future__ import annotations

from collections.abc import Iterator

from engine.catalog.compiled import Action, Catalog
from engine.decide.gates.candidates import Candidates, Departure
from engine.explain.deciding_part import Failing, failing, holding
from engine.frequency import fatigue
from engine.view import View


def eligible(candidates: Candidates, alive: int) -> int:
    """Without those whose `eligible` is false for this customer."""
    return alive ^ candidates.drop("eligibility", candidates.plan.eligible.refusing(candidates.view, alive))


def eligibility(_: Catalog) -> Iterator[str]:
    """Its one reason."""
    yield "eligibility"


def behind_eligibility(view: View, action: Action, _: str) -> Failing | None:
    """The part of an action's own condition that fails, else of what the policies added to it."""
    own = failing(action.asked, view, action.facts, ("eligible",))
    if own is not None:
        return own
    added = (failing(part, view, at=("after_purchase",)) for part in action.eligible)
    return next((part for part in added if part is not None), None)


def unsuppressed(candidates: Candidates, alive: int) -> int:
    """Without those that a suppression rule holds back."""
    for rule, asked in candidates.plan.suppressions:
        asking = alive & asked.asking
        if asking:
            alive ^= candidates.drop(f"suppress.{rule}", asking & ~asked.refusing(candidates.view, asking))
    return alive


def is_unsuppressed(leaving: Departure) -> str | None:
    """The same for a decided send."""
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
    """Without those whose category the customer is too tired of."""
    turn, rule = candidates.turn, candidates.turn.catalog.fatigue
    if rule is not None and rule.silence_at is not None and turn.profile.fatigue:
        for key, mask in candidates.plan.tiring:
            if alive & mask and fatigue.level(turn.profile, rule, key, turn.now_ms) >= rule.silence_at:
                alive ^= candidates.drop("suppress.fatigue", alive & mask)
    return alive


def fatigues(catalog: Catalog) -> Iterator[str]:
    """Its one reason, where the policies have such a rule."""
    if catalog.fatigue is not None:
        yield "suppress.fatigue"
