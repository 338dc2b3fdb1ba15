"""How tired a customer is of a category of messages: a level from 0 to 1 that halves with time
(`docs/design/fatigue.md`).

A level is kept with the instant at which it was true. The level now is computed when somebody asks, so nothing is
written while nothing happens.
"""

from __future__ import annotations

from typing import Final

from engine.catalog.compiled import Action, Fatigue
from engine.profile import FatigueLevel, Profile
from engine.turn_state import Turn

_FORGOTTEN: Final = 0.001  # a level as low as this is not kept
_COMMON_MAX: Final = 8  # splits of which a level remembers what it has in common


def key_of(rule: Fatigue | None, action: Action) -> str | None:
    """The key of the level that counts for an action, which is its category; None where its tier tires nobody."""
    return (action.category or "") if rule is not None and action.tier in rule.tiers else None


def level(profile: Profile, rule: Fatigue, key: str, now_ms: int) -> float:
    """The level now."""
    known = profile.fatigue.get(key)
    if known is None:
        return 0.0
    return _decayed(known, rule, now_ms)


def record_exposure(turn: Turn, action: Action | None, how: str) -> None:
    """Raise or lower the level by an exposure: seen, dismissed, clicked, converted. Any other word changes nothing."""
    rule = turn.catalog.fatigue
    if rule is None or action is None:
        return
    key = key_of(rule, action)
    step = {"seen": rule.seen, "viewed": rule.seen, "dismissed": rule.dismissed}.get(how, 0.0)
    step -= rule.clicked if how in ("clicked", "converted") else 0.0
    if key is None or not step:
        return
    known = turn.profile.fatigue.pop(key, None)
    common = {} if known is None or not known.common else _common(known, rule, turn.now_ms)
    now = min(1.0, max(0.0, (0.0 if known is None else _decayed(known, rule, turn.now_ms)) + step))
    if now > _FORGOTTEN or common:
        turn.profile.fatigue[key] = FatigueLevel(now, turn.now_ms, common)


def merge(profile: Profile, rule: Fatigue | None, arriving: dict[str, FatigueLevel], now_ms: int) -> None:
    """Add the levels of an absorbed profile to this one's, up to 1. What both have from a time when they were one
    counts once."""
    for key, theirs in arriving.items():
        known = profile.fatigue.get(key)
        if known is None or rule is None:
            profile.fatigue[key] = theirs
            continue
        mine, other = _common(known, rule, now_ms), _common(theirs, rule, now_ms)
        # A later split left them all that was common before, so the most is all of it.
        twice = max((min(mine[split], other[split]) for split in mine.keys() & other.keys()), default=0.0)
        both = _decayed(known, rule, now_ms) + _decayed(theirs, rule, now_ms) - twice
        common = mine | {split: max(size, mine.get(split, 0.0)) for split, size in other.items()}
        profile.fatigue[key] = FatigueLevel(min(1.0, max(0.0, both)), now_ms, _few(common))


def leave_to_both(known: FatigueLevel, merge_id: str) -> FatigueLevel:
    """A level that both profiles of a split get: all of it is common to them."""
    return FatigueLevel(known.level, known.at_ms, _few(known.common | {merge_id: known.level}))


def _decayed(known: FatigueLevel, rule: Fatigue, now_ms: int) -> float:
    return known.level * float(2.0 ** (-max(0, now_ms - known.at_ms) / rule.half_life_ms))


def _common(known: FatigueLevel, rule: Fatigue, now_ms: int) -> dict[str, float]:
    """What it has in common with other profiles, as much as is left of it now."""
    left = {split: _decayed(FatigueLevel(size, known.at_ms), rule, now_ms) for split, size in known.common.items()}
    return {split: size for split, size in left.items() if size > _FORGOTTEN}


def _few(common: dict[str, float]) -> dict[str, float]:
    most = sorted(common, key=lambda split: (-common[split], split))[:_COMMON_MAX]
    return {split: common[split] for split in most}
