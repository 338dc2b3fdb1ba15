"""Gates that ask whether a channel reaches the customer, and whether it may."""

from __future__ import annotations

from collections.abc import Iterator

from engine.catalog.compiled import Catalog
from engine.consent import tokens
from engine.contact import addresses, consents
from engine.decide.gates.candidates import Candidates, Departure
from engine.turn_state import Turn


def with_address(candidates: Candidates, alive: int) -> int:
    """Drop all candidates where the channel needs an address that the customer does not have."""
    reason = _no_address(candidates.turn, candidates.plan.channel)
    return alive ^ candidates.drop(reason, alive) if reason else alive


def has_address(leaving: Departure) -> str | None:
    """A decided send needs the address still."""
    return _no_address(leaving.turn, leaving.send.channel)


def addresses_of(catalog: Catalog) -> list[str]:
    """The reasons of missing addresses."""
    return sorted({f"fit.no_{channel.address}" for channel in catalog.channels.values() if channel.address})


def _no_address(turn: Turn, channel: str) -> str | None:
    rule = turn.catalog.channels.get(channel)
    if rule is None or not rule.address or addresses.current(turn.profile, rule.address) is not None:
        return None
    return f"fit.no_{rule.address}"


def consented(candidates: Candidates, alive: int) -> int:
    """Drop the candidates for whose purpose this channel may not be used."""
    turn, channel = candidates.turn, candidates.plan.channel
    for (purpose, tier), mask in candidates.plan.purposes:
        if alive & mask and not consents.is_granted(turn.profile, turn.catalog, purpose, channel, tier):
            alive ^= candidates.drop(f"consent.{purpose}.{channel}", alive & mask)
    return alive


def is_consented(leaving: Departure) -> str | None:
    """A decided send needs consent for the purpose that it was decided for, and for the one that its action has by
    now."""
    send = leaving.send
    action = leaving.plan.actions[0]
    for purpose, tier in dict.fromkeys(((send.purpose, send.tier), (action.purpose, action.tier))):
        if tokens.token(leaving.turn, purpose, send.channel, tier) is None:
            return f"consent.{purpose}.{send.channel}"
    return None


def purposes(catalog: Catalog) -> Iterator[str]:
    """The reasons of missing consents."""
    for purpose in sorted({action.purpose for action in catalog.actions.values()}):
        yield from (f"consent.{purpose}.{channel}" for channel in sorted(catalog.channels))
