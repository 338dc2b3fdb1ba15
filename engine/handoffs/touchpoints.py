"""The kind of touchpoint at which an event happened: the channel of the event, with the web split by device.

| kind | which events |
|---|---|
| `desktop`, `mobile` | channel `web` (or `browser`), where the context says on which device: `userAgentData.mobile`, `device.type`, or `userAgent`. A tablet counts as mobile |
| `web` | the same where nothing says it: the page of a server, say |
| `app` | channel `app` (or `mobile`, as some libraries call it) |
| another channel of the catalog | the channel. On one that messages are sent on (`email`, `sms`) only a click counts: an event whose name ends in `Clicked` |
| `other` | a channel that the catalog does not know |

An event without a channel, or of channel `server`, happened at no touchpoint. The door works it out, and it stands in
the event: so what was told before there were touchpoints has none, and a replay gives what there was.
"""  # noqa: E501  (a row of a table is one line)

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from engine.catalog.compiled import Catalog
from engine.catalog.once_per_catalog import once_per_catalog

Kinds = Mapping[str, tuple[str, bool]]

WEB: Final = "web"
DEVICES: Final = ("mobile", "desktop")  # what WEB is split into
ON_THE_WEB: Final = frozenset((WEB, *DEVICES))
OTHER: Final = "other"

_ALIKE: Final = {"": "", "server": "", "browser": WEB, "mobile": "app"}
_UNKNOWN: Final = (OTHER, False)
_CLICKED: Final = "Clicked"
_HANDHELD: Final = frozenset(("mobile", "phone", "smartphone", "tablet", "ios", "android"))
_HANDHELD_AGENTS: Final = ("Mobi", "Android", "iPad", "iPhone", "Tablet")
_AGENT_CHARS: Final = 512  # of a user agent that are looked at


def kind_of(kinds: Kinds, channel: str, name: str, context: Mapping[str, Any]) -> str:
    """The kind of touchpoint of an event `name`; empty where it happened at none. `kinds` are the catalog's."""
    kind, is_for_messages = kinds.get(channel, _UNKNOWN)
    if kind == WEB:
        return _device(context)
    return "" if is_for_messages and not name.endswith(_CLICKED) else kind


def of_channel(catalog: Catalog, channel: str) -> str:
    """The kind of touchpoint that a channel of messages is."""
    return kinds_of(catalog).get(channel, _UNKNOWN)[0]


def is_same(kind: str, other: str) -> bool:
    """Whether both may be one touchpoint: a page that does not say on which device it was read may be any page."""
    return kind == other or (WEB in (kind, other) and kind in ON_THE_WEB and other in ON_THE_WEB)


@once_per_catalog
def kinds_of(catalog: Catalog) -> Kinds:
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
    return _of_agent(agent) if agent.__class__ is str and agent else WEB


@lru_cache(maxsize=4_096)
def _of_agent(agent: str) -> str:
    """Kept, because most pages are seen with one of a few browsers."""
    return "mobile" if any(word in agent[:_AGENT_CHARS] for word in _HANDHELD_AGENTS) else "desktop"
