"""Requests of shards to each other: messages between profiles, tokens of budgets, and the steps of a move."""

from __future__ import annotations

import msgspec

from actors.transport.messages.base import Acknowledged, Answer, Request
from actors.transport.messages.of_doors import Resettled


class Delivered(Answer):
    """(sender, sequence number) of those messages that are durable with their receivers."""

    arrived: list[tuple[str, int]]


class Deliver(Request[Delivered]):
    """Messages between profiles, each as the bytes of a `Message`."""

    messages: list[msgspec.Raw]


class Leased(Answer):
    """The number of tokens that were granted for each lease, in the order of the request."""

    tokens: list[int]


class Lease(Request[Leased]):
    """Asks shard 0 for blocks of tokens of budgets: (budget, period, name of the asking store, number of the lease)."""

    wanted: list[tuple[str, int, str, int]]


class GoHome(Request[Resettled]):
    """Move the profile back to the shard that owns its slot; asked of the process of a pinned profile."""

    profile: str


class MoveBegun(Answer):
    """Whether the profile lives there already: then nothing is left to move."""

    is_here: bool


class BeginMove(Request[MoveBegun]):
    """Make room for a profile. `move` names this attempt in every step that follows."""

    profile: str
    move: str


class MoveRecords(Request[Acknowledged]):
    """Some of the profile's records: (column family, key, record)."""

    profile: str
    move: str
    rows: list[tuple[str, bytes, bytes]]


class MoveSlice(Request[Acknowledged]):
    """A slice of the bytes that make the profile live at its new place."""

    profile: str
    move: str
    part: bytes


class EndMove(Request[Acknowledged]):
    """All slices are there: the profile lives at its new place from now on."""

    profile: str
    move: str
