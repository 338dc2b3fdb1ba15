"""The token in links of messages (`?sg=`): it names the recipient's profile, the send and an end, and no address.

Only this workspace can make one, and only into messages to a verified address. Else whoever can state somebody else's
address with a write key would get a link into that person's profile.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from engine import seeds
from engine.catalog.compiled import Catalog
from engine.contact.addresses import NAMESPACES
from engine.errors import InvalidInput
from engine.parts.of_identity import Link
from engine.profile import Send
from engine.recent_events import encoder

PARAMETER: Final = "sg"
TOKEN_CHARS_MAX: Final = 300
_PURPOSE: Final = "link"


class SignedLink(msgspec.Struct, array_like=True, frozen=True):
    """The payload of a token: the ids as bytes, the channel of the message, and seconds since 1970."""

    of_profile: bytes
    of_send: bytes
    channel: str
    sent_s: int
    expires_s: int

    @property
    def profile(self) -> str:
        """The id of the recipient's profile."""
        return self.of_profile.hex()

    @property
    def send(self) -> str:
        """The id of the message."""
        return self.of_send.hex()


_decoder = msgspec.msgpack.Decoder(SignedLink)


def of_message(catalog: Catalog, profile_id: str, send: Send, address: Link | None, now_ms: int) -> dict[str, Any]:
    """What the rendering of a message needs for its links; empty where none of them is signed."""
    rules = catalog.links
    if not rules.hosts or address is None or not address.verified or address.namespace not in NAMESPACES:
        return {}
    link = SignedLink(
        bytes.fromhex(profile_id),
        bytes.fromhex(send.id),
        send.channel,
        now_ms // 1000,
        (now_ms + rules.lasts_ms) // 1000,
    )
    token = seeds.sign(catalog.id_key, _PURPOSE, encoder.encode(link))
    return {"token": token, "hosts": list(rules.hosts), "but": list(rules.but)}


def read(catalog: Catalog, token: str) -> SignedLink | None:
    """The link of a token; None for a text that is no token of this workspace."""
    try:
        return _decoder.decode(seeds.verify(catalog.id_key, _PURPOSE, token))
    except (InvalidInput, msgspec.MsgspecError):
        return None
