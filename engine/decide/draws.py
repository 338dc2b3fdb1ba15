"""Draws that stay as they were drawn: the variant of an action that a customer gets, their side of a holdout, their arm
of a split.

A draw is a keyed hash of the customer's id and of the name of what is drawn. The id changes with a login, the variants
with the catalog. So each draw is kept with the first decision or send that used it, and from then on the kept one
counts.

A new draw takes the id of the oldest profile that a customer was. So a visitor who signs in sees what the visitor saw,
even where nothing was kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from engine import limits, seeds
from engine.catalog.compiled import Action, Catalog, Holdout, Step, Variant
from engine.profile import Drawn, Profile
from engine.turn_state import Turn

WITHIN: Final = "in"
OUTSIDE: Final = "out"
_VARIANT: Final = "variant "
_HOLDOUT: Final = "holdout "
_SPLIT: Final = "split "


def variant_of(turn: Turn, action: Action) -> Variant:
    """The variant that this customer always gets of this action; from now on it is kept."""
    if len(action.variants) == 1 and not turn.profile.drawn:
        return action.variants[0]
    found = variant_now(turn.profile, turn.catalog, action)
    name = _VARIANT + action.id
    known = turn.profile.drawn.get(name)
    if (known is None and len(action.variants) > 1) or (known is not None and known.outcome != found.id):
        _keep_variant(turn, name, known, action, found)
    elif turn.profile.ledger:
        _count_again(turn, name)
    return found


def variant_now(profile: Profile, catalog: Catalog, action: Action) -> Variant:
    """The same, but nothing is kept: the drawn variant as long as the action has it, else a draw over the weights."""
    variants = action.variants
    if len(variants) == 1:
        return variants[0]
    known = profile.drawn.get(_VARIANT + action.id)
    if known is not None:
        for variant in variants:
            if variant.id == known.outcome:
                return variant
    point = seeds.draw(catalog.id_key, "variant", _drawn_as(profile), action.id)
    point *= sum(variant.weight for variant in variants)
    for variant in variants:
        point -= variant.weight
        if point < 0:
            return variant
    return variants[-1]  # rounding may leave a point that no weight has used up


def holds_out(turn: Turn, rule: Holdout) -> bool:
    """Whether this customer belongs to the share that gets nothing; from now on it is kept."""
    is_within = is_held_out(turn.profile, turn.catalog, rule)
    if _HOLDOUT + rule.id not in turn.profile.drawn:
        _keep(turn, _HOLDOUT + rule.id, WITHIN if is_within else OUTSIDE)
    elif turn.profile.ledger:
        _count_again(turn, _HOLDOUT + rule.id)
    return is_within


def is_held_out(profile: Profile, catalog: Catalog, rule: Holdout) -> bool:
    """The same, but nothing is kept. A new share of the holdout moves nobody who was drawn."""
    known = profile.drawn.get(_HOLDOUT + rule.id)
    if known is not None:
        return known.outcome == WITHIN
    return seeds.draw(catalog.id_key, "holdout", rule.id, _drawn_as(profile)) < rule.share


def arm_of(turn: Turn, journey: str, split: Step) -> tuple[str, int]:
    """The arm of a journey's split that this customer always gets, and where it begins; from now on it is kept. New
    weights move nobody who was drawn."""
    name = f"{_SPLIT}{journey}.{split.id}"
    known = turn.profile.drawn.get(name)
    for arm, _, target in split.shares if known is not None else ():
        if known is not None and arm == known.outcome:
            return arm, target
    point = seeds.draw(turn.catalog.id_key, "split", _drawn_as(turn.profile), journey, split.id)
    point *= sum(weight for _, weight, _ in split.shares)
    for arm, weight, target in split.shares:
        point -= weight
        if point < 0 or arm == split.shares[-1][0]:  # rounding may leave a point that no weight has used up
            _keep(turn, name, arm)
            return arm, target
    raise AssertionError("a split has arms")


def recall(profile: Profile, drawn: Mapping[str, Drawn], catalog: Catalog) -> None:
    """Take over the draws of an earlier or absorbed profile. Of two draws of one name, one that the catalog still has
    wins; else the earlier one; of two at one instant the first by alphabet. So it does not matter which profile absorbs
    the other."""
    for name, theirs in drawn.items():
        mine = profile.drawn.get(name)
        if mine is None or _precedence(catalog, name, theirs) < _precedence(catalog, name, mine):
            profile.drawn[name] = theirs


def _precedence(catalog: Catalog, name: str, drawn: Drawn) -> tuple[bool, int, str]:
    """A sort key: of two draws of one name, the one with the lower key counts."""
    action = catalog.actions.get(name.removeprefix(_VARIANT)) if name.startswith(_VARIANT) else None
    is_gone = action is not None and all(variant.id != drawn.outcome for variant in action.variants)
    return is_gone, drawn.at_ms, drawn.outcome


def join(turn: Turn, other: Profile) -> None:
    """Take over the draws of an absorbed profile, before anything else of it: a merge changes the ages compared
    here."""
    recall(turn.profile, other.drawn, turn.catalog)
    if other.created_ms <= turn.profile.created_ms:
        turn.profile.drawn_as = _drawn_as(other)
    _bound(turn)


def join_stranger(turn: Turn, stranger: str, drawn: Mapping[str, Drawn], *, is_new: bool) -> None:
    """The same for a visitor without a profile. `is_new`: this customer's profile was created by naming the visitor, so
    the visitor is older."""
    is_elder = is_new or any(each.at_ms <= turn.profile.created_ms for each in drawn.values())
    recall(turn.profile, drawn, turn.catalog)
    if is_elder and not turn.profile.drawn_as:
        turn.profile.drawn_as = stranger
    _bound(turn)


def shown(profile: Profile) -> dict[str, dict[str, Drawn]]:
    """The kept draws, by action and by holdout."""
    return {
        kind: {name.removeprefix(prefix): each for name, each in profile.drawn.items() if name.startswith(prefix)}
        for kind, prefix in (("variants", _VARIANT), ("holdouts", _HOLDOUT))
    }


def _drawn_as(profile: Profile) -> str:
    return profile.drawn_as or profile.id


def _keep_variant(turn: Turn, name: str, known: Drawn | None, action: Action, found: Variant) -> None:
    """Keep the variant if the active catalog has it. A run on an older catalog may get a variant that is gone by now,
    or another one than was drawn."""
    current = turn.catalog.actions.get(action.id)
    variants = {variant.id for variant in current.variants} if current is not None else set()
    if found.id in variants and (known is None or known.outcome not in variants):
        _keep(turn, name, found.id)


def _keep(turn: Turn, name: str, outcome: str) -> None:
    turn.profile.drawn[name] = Drawn(outcome, turn.now_ms)
    _bound(turn)


def _count_again(turn: Turn, name: str) -> None:
    """Note that a draw of one of two profiles counts for both, now that they are one: a split leaves it to both."""
    known = turn.profile.drawn.get(name)
    if known is not None and max(known.at_ms, known.again_ms) < turn.profile.ledger[-1].at_ms:
        turn.profile.drawn[name] = msgspec.structs.replace(known, again_ms=turn.now_ms)


def _bound(turn: Turn) -> None:
    """Forget the oldest draws about things that the active catalog does not have, where too many are kept."""
    drawn, catalog = turn.profile.drawn, turn.catalog
    surplus = len(drawn) - limits.DRAWN_MAX
    if surplus > 0:
        live = {_VARIANT + name for name in catalog.actions} | {_HOLDOUT + rule.id for rule in catalog.holdouts}
        live |= {f"{_SPLIT}{each.id}.{step.id}" for each in catalog.journeys.values() for step in each.steps}
        idle = sorted((each.at_ms, name) for name, each in drawn.items() if name not in live)
        for _, name in idle[:surplus]:
            del drawn[name]
