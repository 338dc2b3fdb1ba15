"""How many messages of a journey leave in a time, over all customers together (`guards.pace`).

A pace is a budget whose period is that time: each message that leaves costs a token, and shards lease tokens in blocks
(`docs/design/budgets.md`). Without a token a message is not held, it waits. The input says until when: its shard lets
those that wait come back one after the other, so that they do not all ask again at once.
"""

from __future__ import annotations

from engine.catalog.compiled import Catalog
from engine.catalog.compiling.policies import pace_of
from engine.effects import Spend
from engine.turn_state import Turn


def waits_until_ms(turn: Turn, journey: str) -> int:
    """Until when a message of a journey waits for its turn; 0 where it may leave now."""
    token = turn.tokens.get(pace_of(journey), 1) if _is_paced(turn.catalog, journey) else 1
    return 0 if token > 0 else max(-token, turn.now_ms + 1)


def spend(turn: Turn, journey: str) -> None:
    """A message leaves."""
    if _is_paced(turn.catalog, journey):
        turn.effects.append(Spend(pace_of(journey), 1, turn.now_ms))


def stand_in_line(turn: Turn, journey: str) -> None:
    """A message waits: the next one waits longer."""
    turn.effects.append(Spend(pace_of(journey), 0, turn.now_ms))


def _is_paced(catalog: Catalog, journey: str) -> bool:
    known = catalog.journeys.get(journey)
    return known is not None and known.guards.pace is not None
