"""One offer per subject, on all channels: what was shown stands until it expires or a better one replaces it (N8).

An offer counts as shown from the decision that returns it, as long as its place would be held; once it is seen, or its
message has left, it stands for as long as the action says.
"""

from __future__ import annotations

from engine.catalog.compiled import Action
from engine.profile import Profile, Promise
from engine.turn_state import Turn


def standing(profile: Profile, now_ms: int) -> list[Promise]:
    """The offers that this customer may rely on now."""
    return [promise for promise in profile.promises if promise.expires_ms > now_ms]


def is_worse(action: Action, promise: Promise) -> bool:
    """Whether an action contradicts what was promised: another offer on the same subject that is no better."""
    offer = action.offer
    return (
        offer is not None
        and offer.subject == promise.subject
        and action.id != promise.action
        and offer.discount <= promise.discount
    )


def promise(turn: Turn, action: Action, ref: str, expires_ms: int) -> Promise | None:
    """An offer is on its way to the customer: it replaces the one before it. Returns what now stands."""
    offer = action.offer
    if offer is None:
        return None
    kept = standing(turn.profile, turn.now_ms)
    same = next((known for known in kept if known.subject == offer.subject and known.action == action.id), None)
    if same is not None:
        same.expires_ms = max(same.expires_ms, expires_ms)
    else:
        kept = [known for known in kept if known.subject != offer.subject]
        same = Promise(offer.subject, action.id, offer.discount, offer.price_minor, ref, turn.now_ms, expires_ms)
        kept.append(same)
    turn.profile.promises = kept
    return same


def seen(turn: Turn, action: Action | None, ref: str, at_ms: int) -> None:
    """The customer has the offer now: it stands for as long as the action says."""
    if action is not None and action.offer is not None:
        promise(turn, action, ref, at_ms + action.offer.lasts_ms)


def of_both(known: list[Promise], arriving: list[Promise]) -> list[Promise]:
    """After an absorb the better of two offers on a subject stands, the older where they are equal."""
    best: dict[str, Promise] = {}
    for each in sorted([*known, *arriving], key=lambda each: (each.discount, -each.shown_ms, each.ref)):
        best[each.subject] = each
    return sorted(best.values(), key=lambda each: each.subject)


def withdraw(turn: Turn, ref: str) -> None:
    """What was never seen binds nobody."""
    turn.profile.promises = [known for known in turn.profile.promises if known.ref != ref]
