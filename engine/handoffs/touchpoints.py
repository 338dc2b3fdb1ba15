"""The kind of touchpoint at which an event happened: the channel of the event, with the web split by device.

| kind | which events |
|---|---|
| `desktop`, `mobile` | channel `web` (or `browser`), where the context says on which device: `userAgentData.mobile`, `device.type`, or `userAgent`. A tablet counts as mobile |
| `web` | the same where nothing says it: the page of a server, say |
| `app` | channel `app` (or `mobile`, as some libraries call it) |
| another channel of the catalog | the channel. On one that messages are sent on (`email`, `sms`) only a click counts: an event whose name ends in `Clicked` |
| `other` | a channel that the catalog does not know |

An event without a channel, or of channel `server`, happened at no touchpoint.
"""  # noqa: E501  (a row of a table is one line)

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from engine.catalog.compiled import Catalog
from engine.catalog.once_per_catalog import once_per_catalog
from engine.inputs import Event

WEB: Final = "web"
DEVICES: Final = ("mobile", "desktop")  # what WEB is split into
ON_THE_WEB: Final = frozenset((WEB, *DEVICES))
OTHER: Final = "other"

_ALIKE: Final = {"": "", "server": "", "browser": WEB, "mobile": "app"}
_CLICKED: Final = "Clicked"
_HANDHELD: Final = frozenset(("mobile", "phone", "smartphone", "tablet", "ios", "android"))
_HANDHELD_AGENTS: Final = ("Mobi", "Android", "iPad", "iPhone", "Tablet")
_AGENT_CHARS: Final = 512  # of a user agent that are looked at


def kind_of(catalog: Catalog, event: Event) -> str:
    """The kind of touchpoint of an event; empty where it happened at none."""
    kind, is_for_messages = _kinds(catalog).get(event.channel, (OTHER, False))
    if kind == WEB:
        return _device(event.context)
    return "" if is_for_messages and not event.name.endswith(_CLICKED) else kind


def of_channel(catalog: Catalog, channel: str) -> str:
    """The kind of touchpoint that a channel of messages is."""
    return _kinds(catalog).get(channel, (OTHER, False))[0]


def is_same(kind: str, other: str) -> bool:
    """Whether both may be one touchpoint: a page that does not say on which device it was read may be any page."""
    return kind == other or (WEB in (kind, other) and kind in ON_THE_WEB and other in ON_THE_WEB)


@once_per_catalog
def _kinds(catalog: Catalog) -> Mapping[str, tuple[str, bool]]:
    """The kind of touchpoint of each channel, and whether messages are sent on it."""
    known = {source.channel for source in catalog.sources.values()} | set(catalog.channels)
    messages = {channel.id for channel in catalog.channels.values() if channel.provider != "none"}
    known |= {WEB, "app"}
    own = {channel: (channel, channel in messages) for channel in known}
    return own | {channel: (kind, False) for channel, kind in _ALIKE.items()}


def _device(context: Mapping[str, Any]) -> str:
    hints = context.get("userAgentData")
    if hints.__class__ is dict and hints.get("mobile").__class__ is bool:
        return "mobile" if hints["mobile"] else "desktop"
    device = context.get("device")
    if device.__class__ is dict and isinstance(kind := device.get("type"), str):
        if kind.lower() in _HANDHELD:
            return "mobile"
        if kind.lower() == "desktop":
            return "desktop"
    agent = context.get("userAgent")
    if agent.__class__ is not str or not agent:
        return WEB
    seen = agent[:_AGENT_CHARS]
    return "mobile" if any(word in seen for word in _HANDHELD_AGENTS) else "desktop"
