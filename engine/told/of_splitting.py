"""What a profile is told about being two people (`engine.splitting.split` has the whole way).

They are inputs like all others, and `engine.inputs` has them all.
"""

from __future__ import annotations

from engine.told.base import Input


class Split(Input, frozen=True, kw_only=True, omit_defaults=True, tag="split"):
    """Undo a merge of this profile. The shard adds `records`, by merge ids: what the ledger holds of this merge and of
    all later ones; and `pages`, by their keys less the profile's id: the pages of the history that survivors have
    written since then. `reason` says who asks for it: `asked`, or a split rule."""

    merge_id: str
    reason: str = "asked"
    records: tuple[tuple[str, bytes], ...] = ()
    pages: tuple[tuple[bytes, bytes], ...] = ()


class Revive(Input, frozen=True, kw_only=True, omit_defaults=True, tag="revive"):
    """A message to the place of a merged profile: what the profile `origin` gives back to it. The records are as in
    `HandOver`. Only the last message has a `state`, and with it the profile lives at its own place again.

    The place adds `message_seq`, the number of the last message that it has sent: what it passed on to the living
    profile stands in no journal."""

    origin: str
    merge_id: str
    state: bytes = b""
    history: tuple[tuple[bytes, bytes], ...] = ()
    audit: tuple[tuple[bytes, bytes], ...] = ()
    seen: tuple[tuple[bytes, bytes], ...] = ()
    merges: tuple[tuple[bytes, bytes], ...] = ()
    message_seq: int = 0


class Revived(Input, frozen=True, kw_only=True, tag="revived"):
    """A message back to the profile that gave `origin` its own again: all of it is durable there."""

    origin: str


class PointTo(Input, frozen=True, kw_only=True, omit_defaults=True, tag="point_to"):
    """A message to a place that points to profile `was`, or to one of those `merged` into it: it belongs to profile
    `to`."""

    was: str
    to: str
    merged: tuple[str, ...] = ()


class Rejoin(Input, frozen=True, kw_only=True, tag="rejoin"):
    """Undo the split that undid a merge: the two profiles become one again, whatever the rules of merging say."""

    merge_id: str


class PassedOn(Input, frozen=True, kw_only=True, tag="passed_on"):
    """An input that came to a profile which has split went on to the other one, as its next message."""


class Revert(Input, frozen=True, kw_only=True, omit_defaults=True, tag="revert"):
    """Undo everything that a source (the name of a key) has done to who this is, since `since_ms`. With `dry` nothing
    is done, and the answer lists what would be. The shard adds the `records` of the merges that are split for it, and
    of all later ones. `is_rest`: they are split by now, and what was said of this person alone is left: `words`, as
    (what it is about, when it was heard). Whoever this person has become one with meanwhile keeps all other words."""

    source: str
    since_ms: int = 0
    dry: bool = False
    records: tuple[tuple[str, bytes], ...] = ()
    is_rest: bool = False
    words: tuple[tuple[str, int], ...] = ()
