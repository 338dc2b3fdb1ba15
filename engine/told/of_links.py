"""What profiles tell each other about a signed link that somebody has opened."""

from __future__ import annotations

from engine.told.base import Input


class OpenLink(Input, frozen=True, kw_only=True, omit_defaults=True, tag="open_link"):
    """A message to the profile that a message was for: profile `to` came by the link of send `send`, on the device
    whose place is `device`. `recipient` is the profile that the link names. `is_person`: an identifier of a person
    names profile `to`; `addresses` are the places of the addresses that it has, `proved` of those that are verified.
    `source` is the key that told it."""

    to: str
    send: str
    recipient: str
    device: str
    is_person: bool = False
    addresses: tuple[str, ...] = ()
    proved: tuple[str, ...] = ()
    source: str = ""


class LinkRefused(Input, frozen=True, kw_only=True, tag="link_refused"):
    """The answer to `OpenLink` where the link identifies nobody there: another device has opened it, say."""

    send: str
    reason: str
