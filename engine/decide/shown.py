"""Shown actions, as their tracking tokens carry them to a front end and back."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from engine import seeds
from engine.errors import InvalidInput
from engine.vocabulary import DAY_MS

TOKEN_KEPT_MS: Final = 30 * DAY_MS  # after its place ends: as long as events are remembered to find repeats


class OfferShown(msgspec.Struct, array_like=True, frozen=True):
    """The offer that was shown with an action. Its price is honoured until `until_ms`, whatever the catalog says by
    then."""

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
    """The content of a tracking token. `ref` names one action of one decision, and its place if it holds one."""

    profile: str
    ref: str
    action: str
    channel: str
    placement: str
    expires_ms: int
    offer: OfferShown | None = None

    @property
    def worth_until_ms(self) -> int:
        """Until when an exposure with this token counts."""
        return self.expires_ms + TOKEN_KEPT_MS


_shown = msgspec.msgpack.Decoder(ShownAction)


def read_token(id_key: bytes, token: str) -> ShownAction:
    """The shown action that a tracking token stands for; InvalidInput for any other text."""
    try:
        return _shown.decode(seeds.verify(id_key, "exposure", token))
    except (InvalidInput, msgspec.MsgspecError):
        raise InvalidInput("this tracking token was not made here", "trackingToken") from None


def claimed_by(token: str) -> ShownAction | None:
    """The shown action that a token claims to stand for, its signature not checked; None for a text that is no
    token."""
    try:
        return _shown.decode(seeds.payload_of(token))
    except (InvalidInput, msgspec.MsgspecError):
        return None
