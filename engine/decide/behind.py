"""What is behind a gate's no, for people who ask: the part of a condition that decided it."""

from __future__ import annotations

from typing import Any

from engine.catalog.compiled import Action
from engine.explain.deciding_part import Failing, failing, holding
from engine.view import View


def told(view: View, action: Action, reason: str) -> dict[str, Any]:
    """`{"condition": {"path", "wanted", "saw"}}` for a reason that comes from a condition, else nothing."""
    part = _part(view, action, reason)
    return {"condition": part.plain} if part is not None else {}


def _part(view: View, action: Action, reason: str) -> Failing | None:
    gate, _, which = reason.partition(".")
    if gate == "eligibility":
        return _ineligible(view, action)
    if reason == "offer.full_price":
        return holding(action.full_price, view, at=("offers", "full_price"))
    if gate == "suppress":
        for rule in view.catalog.suppressions:
            if rule.id == which:
                return holding(rule.asked or rule.tree, view, action.facts, ("suppress", which, "when"))
    return None


def _ineligible(view: View, action: Action) -> Failing | None:
    own = failing(action.asked, view, action.facts, ("eligible",))
    if own is not None:
        return own
    added = (failing(part, view, at=("after_purchase",)) for part in action.eligible)  # by the policies
    return next((part for part in added if part is not None), None)
