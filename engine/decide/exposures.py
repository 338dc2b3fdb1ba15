"""What became of an action that was shown: seeing it in time commits its place, dismissing it gives the place back."""

from __future__ import annotations

from typing import Any

import msgspec

from engine import caps, seeds
from engine.catalog.compiled import Catalog
from engine.decide import budgets, fatigue, offers
from engine.errors import InvalidInput
from engine.inputs import Exposure
from engine.profile import Place
from engine.turn_state import Turn


class OfferShown(msgspec.Struct, array_like=True, frozen=True):
    """What was promised with an action. Its price is honoured until `until_ms`, whatever the catalog says by then."""

    subject: str
    discount: float
    price_minor: int | None
    currency: str
    until_ms: int

    def plain(self) -> dict[str, Any]:
        """As front ends and tills read it: the price in minor units."""
        kind, _, name = self.subject.partition(" ")
        return {
            kind: name,
            "discount": self.discount,
            "priceMinor": self.price_minor,
            "currency": self.currency,
            "until": self.until_ms,
        }


class ShownAction(msgspec.Struct, array_like=True, frozen=True):
    """What a tracking token carries."""

    profile: str
    ref: str
    action: str
    channel: str
    placement: str
    expires_ms: int
    offer: OfferShown | None = None


_shown = msgspec.msgpack.Decoder(ShownAction)


def read_token(id_key: bytes, token: str) -> ShownAction:
    """The shown action that a tracking token stands for; InvalidInput for any other text."""
    try:
        return _shown.decode(seeds.verify(id_key, "exposure", token))
    except (InvalidInput, msgspec.MsgspecError):
        raise InvalidInput("this tracking token was not made here", "trackingToken") from None


def expose(turn: Turn, told: Exposure, shown: ShownAction) -> None:
    """Settle the place of a shown action by what the customer did with it, as of the event's own time."""
    place = caps.find(turn.profile, shown.ref)
    in_time = told.at_ms <= shown.expires_ms
    reason = ""
    action = turn.catalog.actions.get(shown.action)
    fatigue.tire(turn, action, told.event)
    is_dismissed = told.event == "dismissed" and not turn.catalog.counts_dismissed
    if is_dismissed:
        if place is not None and not place.left_ms:
            budgets.give_back(turn, place)
            caps.release(turn.profile, shown.ref)
            offers.withdraw(turn, shown.ref)
    elif not in_time:
        reason = "over_exposure"
    elif place is not None and not place.left_ms:
        place.left_ms = max(told.at_ms, place.at_ms)  # nobody sees what is not shown yet: that clock was wrong
    elif place is None and _is_counted(turn.catalog, shown):
        reason = "over_exposure"
    if not is_dismissed and in_time:
        offers.seen(turn, action, shown.ref, told.at_ms)
    turn.note(
        "exposure",
        f"{shown.action} {told.event}",
        channel=shown.channel,
        action=shown.action,
        outcome=told.event,
        reason=reason,
        detail={"ref": shown.ref, "placement": shown.placement, "at": told.at_ms},
    )
    turn.answer({"recorded": told.event, "reason": reason})


def _is_counted(catalog: Catalog, shown: ShownAction) -> bool:
    action = catalog.actions.get(shown.action)
    if action is None:
        return False
    wanted: Place = caps.place_for(action, shown.channel, shown.ref, 0, placement=shown.placement)
    return caps.is_capped(catalog, wanted)
