"""One offer per subject, on all channels: an offer that was shown is valid until it expires or a better one replaces it
(`docs/design/offers.md`).

Subjects are one tree (`engine.values.subjects`): an offer on a product and one on its category are about the same
thing. An offer is not shown where it is no better than a valid one on its path. A better one replaces all offers that
it covers; a wider offer stays valid for the rest.

An offer counts as shown from the decision that returns it, as long as its place would be held; once it is seen, or its
message has left, it is valid for as long as the action says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from engine.catalog.compiled import Action, Offer
from engine.decide.shown import OfferShown
from engine.profile import Profile, Promise
from engine.turn_state import Turn
from engine.values import subjects
from engine.values.subjects import CATEGORY, PRODUCT


def valid(profile: Profile, now_ms: int) -> list[Promise]:
    """The offers that this customer may rely on now."""
    return [promise for promise in profile.promises if promise.expires_ms > now_ms]


def shelves(turn: Turn, promises: Iterable[Promise], others: Iterable[str]) -> Mapping[str, set[str]]:
    """In which categories products lie, where products have to be compared with categories; empty where all subjects
    are of one kind, and the customer's events need not be read for it."""
    on = [(promise.subject, promise.categories) for promise in promises]
    kinds = {subject.startswith(CATEGORY) for subject in (*others, *(subject for subject, _ in on))}
    if len(kinds) < 2:
        return {}
    known = turn.view().shelves()
    for subject, categories in on:
        if categories:
            known.setdefault(subject.removeprefix(PRODUCT), set()).update(categories)
    return known


def is_worse(action: Action, promise: Promise, known: subjects.Shelves) -> bool:
    """Whether an action contradicts a promise on its path: it is another action and no better, or the same one and
    offers less by now."""
    offer = action.offer
    return (
        offer is not None
        and (offer.discount < promise.discount or (offer.discount == promise.discount and action.id != promise.action))
        and subjects.on_one_path(offer.subject, promise.subject, known)
    )


def promise(turn: Turn, action: Action, ref: str, expires_ms: int) -> None:
    """Make an offer valid that is on its way to the customer; it replaces those that it covers."""
    if action.offer is not None:
        _make_valid(turn, action.id, action.offer, ref, expires_ms)


def seen(turn: Turn, action: Action | None, told: OfferShown | None, ref: str, at_ms: int) -> None:
    """Make an offer valid that the customer has seen, as it was shown, for as long as the action says."""
    if action is not None and action.offer is not None:
        offer = action.offer
        if told is not None:
            offer = replace(offer, subject=told.subject, discount=told.discount, price_minor=told.price_minor)
        _make_valid(turn, action.id, offer, ref, at_ms + offer.lasts_ms)


def join(turn: Turn, arriving: list[Promise]) -> None:
    """Take in the offers of an absorbed profile; those that a better one covers go."""
    both = _undercut_by_none(turn, [*turn.profile.promises, *arriving])
    turn.profile.promises = sorted(both, key=lambda each: each.subject)


def _make_valid(turn: Turn, action: str, offer: Offer, ref: str, expires_ms: int) -> None:
    kept = valid(turn.profile, turn.now_ms)
    meant = offer.subject, action, offer.discount
    same = next((known for known in kept if (known.subject, known.action, known.discount) == meant), None)
    if same is not None:
        same.expires_ms = max(same.expires_ms, expires_ms)
    else:
        new = Promise(offer.subject, action, offer.discount, offer.price_minor, ref, turn.now_ms, expires_ms)
        if offer.subject.startswith(PRODUCT):
            product = offer.subject.removeprefix(PRODUCT)
            new.categories = sorted(turn.view().shelves().get(product, ()))
        kept = _undercut_by_none(turn, [*kept, new])
    turn.profile.promises = kept


def _undercut_by_none(turn: Turn, promises: list[Promise]) -> list[Promise]:
    """The offers that no better one covers; of two equal ones the older stays. A wider offer that is no better stays
    for the rest."""
    known = shelves(turn, promises, ())
    kept: list[Promise] = []
    # The best first, so an offer that covers another is kept before the other is looked at.
    for each in sorted(promises, key=lambda each: (-each.discount, each.shown_ms, each.ref)):
        if not any(subjects.lies_within(each.subject, better.subject, known) for better in kept):
            kept.append(each)
    return kept


def withdraw(turn: Turn, ref: str) -> None:
    """Take an offer back that was never seen: it binds nobody."""
    turn.profile.promises = [known for known in turn.profile.promises if known.ref != ref]
