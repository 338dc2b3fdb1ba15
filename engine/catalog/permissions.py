"""Parts of the compiled catalog about permissions: what needs consent, and what a source may state."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Purpose:
    """Why a message is sent. `default` holds where nothing was recorded.

    Promotional and lifecycle actions need consent on every channel but those of `free`; service actions on those of
    `channels` alone.
    """

    id: str
    channels: frozenset[str]
    free: frozenset[str]
    default: bool


@dataclass(frozen=True, slots=True)
class Links:
    """How links in messages identify who follows them: a signed token goes into links to `hosts` (`*.` before one: all
    below it), but for paths that begin with one of `but`. It is good for `lasts_ms`."""

    hosts: tuple[str, ...] = ()
    but: tuple[str, ...] = ()
    lasts_ms: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """Where events come from, by the name of a key (`engine.consent.authority`).

    `grants` are the purposes (`*`: all) that its write key may grant, `events` the events that it may send (None: any).
    With `user_hash` it has to prove each user id by an HMAC. The rest says what its inputs may do to who is who
    (`engine.catalog.identity_rules`); None: what its kind of key may do.
    """

    channel: str = ""
    grants: frozenset[str] = frozenset()
    events: frozenset[str] | None = None
    user_hash: bool = False
    identify: frozenset[str] | None = None
    link: bool | None = None
    merge: bool | None = None
    things: bool = False  # whether its write key may tell facts about things
