"""Gates that ask the catalog alone: whether an action is live, in its dates, and meant for this channel."""

from __future__ import annotations

from collections.abc import Iterator

from engine.catalog import statuses
from engine.catalog.compiled import Catalog
from engine.decide.gates.candidates import Candidates, Departure

UNKNOWN_ACTION = "validity.unknown_action"


def is_known(leaving: Departure) -> str | None:
    """A decided send needs its action, in the catalog that its run entered under, and its place under the caps."""
    return UNKNOWN_ACTION if leaving.action is None or leaving.place is None else None


def without_stopped(candidates: Candidates, alive: int) -> int:
    """Drop a send that a stop of its own tier covers, while its run goes on."""
    return alive ^ candidates.drop(candidates.stopped, alive) if candidates.stopped else alive


def without_idle(candidates: Candidates, alive: int) -> int:
    """Drop the candidates that are not live, or not valid now."""
    now_ms = candidates.turn.now_ms
    for reason, mask in candidates.plan.statuses:
        alive ^= candidates.drop(reason, alive & mask)
    for start_ms, end_ms, mask in candidates.plan.validity:
        if start_ms is not None and now_ms < start_ms:
            alive ^= candidates.drop("validity.not_yet", alive & mask)
        elif end_ms is not None and now_ms >= end_ms:
            alive ^= candidates.drop("validity.over", alive & mask)
    return alive


def is_inside(leaving: Departure) -> str | None:
    """A decided send needs its journey in the active catalog, not stopped since its run began."""
    return statuses.ended(leaving.turn.catalog, leaving.send.journey, leaving.send.version) or None


def has_ended(leaving: Departure) -> str | None:
    """The reason for which the active catalog does not let a decided send leave any more."""
    return statuses.send_ended(leaving.turn.catalog, leaving.send, leaving.turn.now_ms) or None


def dates(_: Catalog) -> tuple[str, ...]:
    """The reasons of actions outside their dates."""
    return "validity.not_yet", "validity.over"


def statuses_of(catalog: Catalog) -> list[str]:
    """The reasons of actions that are not live."""
    return sorted({statuses.OF_ACTION[each.status] for each in catalog.actions.values() if each.status != "live"})


def on_channel(candidates: Candidates, alive: int) -> int:
    """Drop the candidates that do not use this channel."""
    return alive ^ candidates.drop("fit.channel", alive & ~candidates.plan.on_channel)


def is_on_channel(leaving: Departure) -> str | None:
    """A decided send needs its channel, in the active catalog and in its action."""
    return None if leaving.plan.on_channel else "fit.channel"


def channels(_: Catalog) -> Iterator[str]:
    """The reason of actions on another channel."""
    yield "fit.channel"
