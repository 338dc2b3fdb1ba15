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
    now = min(1.0, max(0.0, level(turn.profile, rule, key, turn.now_ms) + step))
    turn.profile.fatigue.pop(key, None)
    if now > _FORGOTTEN:
        turn.profile.fatigue[key] = FatigueLevel(now, turn.now_ms)


def merge(profile: Profile, rule: Fatigue | None, arriving: dict[str, FatigueLevel], now_ms: int) -> None:
    """Add the levels of an absorbed profile to this one's, up to 1."""
    for key, theirs in arriving.items():
        known = profile.fatigue.get(key)
        if known is None or rule is None:
            profile.fatigue[key] = theirs
            continue
        both = _decayed(known, rule, now_ms) + _decayed(theirs, rule, now_ms)
        profile.fatigue[key] = FatigueLevel(min(1.0, both), now_ms)


def _decayed(known: FatigueLevel, rule: Fatigue, now_ms: int) -> float:
    return known.level * float(2.0 ** (-max(0, now_ms - known.at_ms) / rule.half_life_ms))
