"""Cuts a profile into messages when it merges into another one: each carries as much as a message may, from where the
one before ended.

First come the records beside the state, family by family, in the order of their keys. Where the state is too large for
one message, its traits follow. The state comes last. Each message says how far it goes. So the next one can be made
from that alone, after a crash too, and each message reads a bounded number of records however long the past is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from actors.storage import keys
from actors.storage.batch import Batch
from engine import codec
from engine.inputs import HandOver
from engine.profile import Profile, TraitValue
from engine.recent_events import encoder

PIECE_BYTES_MAX: Final = 2 << 20  # of records and traits, but one at least
STATE_BYTES_MAX: Final = 4 << 20  # in the last message, packed; beyond that the traits go before it

_FAMILIES: Final = ("history", "audit", "seen", "reviews", "merges")
_TRAITS: Final = "traits"
_START: Final = (_FAMILIES[0], b"")

_position = msgspec.msgpack.Decoder(tuple[str, bytes | int])


def piece(batch: Batch, profile: Profile, after: bytes = b"") -> HandOver:
    """The next message. `after` is the position that the message before it gave, empty at the beginning. The last
    message gives none."""
    position = _position.decode(after) if after else _START
    if position[0] == _TRAITS:
        return _of_traits(profile, int(position[1]))
    found: dict[str, list[tuple[bytes, bytes]]] = {family: [] for family in _FAMILIES}
    size = 0
    for family, key, record in _records(batch, profile.id, *position):
        if size and size + len(key) + len(record) > PIECE_BYTES_MAX:
            return _of_records(profile, found, position)
        size += len(key) + len(record)
        found[family].append((key, record))
        position = family, key
    state = codec.encode_record(profile)
    if size and size + len(state) > PIECE_BYTES_MAX:
        return _of_records(profile, found, position)
    if len(state) > STATE_BYTES_MAX and profile.traits:
        return _of_traits(profile, 0)
    return msgspec.structs.replace(_of_records(profile, found, None, state), whole=not after)


def with_answers(batch: Batch, told: HandOver) -> HandOver:
    """The hand-over of a place where nobody is known, with the answers that were given there: a request that is asked
    again at the other place gets the same answer. As many as go into a message."""
    prefix, size = keys.profile_key(told.origin), 0
    seen: list[tuple[bytes, bytes]] = []
    for key, record in batch.rows_after("seen", prefix, prefix):
        size += len(key) + len(record)
        if size > PIECE_BYTES_MAX:
            break
        seen.append((key[keys.PROFILE_BYTES :], record))
    return msgspec.structs.replace(told, seen=tuple(seen)) if seen else told


def _records(batch: Batch, profile: str, family: str, reached: bytes | int) -> Iterator[tuple[str, bytes, bytes]]:
    """The records after a position, across the families, with keys less the profile's id."""
    prefix = keys.profile_key(profile)
    for name in _FAMILIES[_FAMILIES.index(family) :]:
        after = prefix + reached if name == family and isinstance(reached, bytes) else prefix
        for key, record in batch.rows_after(name, prefix, after):
            yield name, key[keys.PROFILE_BYTES :], record


def _of_records(
    profile: Profile,
    found: dict[str, list[tuple[bytes, bytes]]],
    position: tuple[str, bytes | int] | None,
    state: bytes = b"",
) -> HandOver:
    history, audit, seen, reviews, merges = (tuple(found[family]) for family in _FAMILIES)
    after = b"" if position is None else encoder.encode(position)
    return HandOver(
        origin=profile.id,
        state=state,
        after=after,
        history=history,
        audit=audit,
        seen=seen,
        reviews=reviews,
        merges=merges,
    )


def _of_traits(profile: Profile, reached: int) -> HandOver:
    """The traits after the first `reached`; the state without any where there are no more."""
    names, size = sorted(profile.traits), 0
    some: dict[str, TraitValue] = {}
    for name in names[reached:]:
        size += len(name) + len(encoder.encode(profile.traits[name]))
        if some and size > PIECE_BYTES_MAX:
            break
        some[name] = profile.traits[name]
    if some:
        state = codec.encode_record(Profile(profile.id, traits=some))
        after = encoder.encode((_TRAITS, reached + len(some)))
        return HandOver(origin=profile.id, state=state, after=after)
    rest = msgspec.structs.replace(profile, traits={})
    rest.history = profile.history
    return HandOver(origin=profile.id, state=codec.encode_record(rest), in_part=True)
