"""The last message of a profile's move to another process, and what its new place makes anew from the state."""

from __future__ import annotations

import msgspec

from actors.shard.activation import Record
from actors.shard.outbox.outbox import Waiting
from actors.storage import keys
from engine.profile import Profile

Row = tuple[str, bytes, bytes]


class Last(msgspec.Struct, array_like=True):
    """The last message of a move: with it the profile lives at its new place.

    `counts`, `sends` and `dead` are set where the whole shard of a pinned profile moves back with it.
    """

    rows: list[Row]
    timers: list[bytes]
    catalogs: list[tuple[bytes, bytes]]
    profiles: int  # 1 for a profile, 0 for a tombstone
    journal_seq: int
    dispatcher: str
    counts: dict[str, int] = {}
    sends: dict[str, int] = {}
    dead: list[bytes] = []
    people: dict[str, int] = {}  # what the profile counts as (`actors.shard.figures.people`)
    resolved: dict[str, int] = {}
    handoffs: list[tuple[bytes, bytes]] = []  # (`actors.shard.figures.hand_offs`)
    standing: list[tuple[bytes, bytes]] = []  # (`actors.shard.standing.index`)


def outbox_of(record: Record | None) -> list[Waiting]:
    """A profile's entries in the outbox."""
    if not isinstance(record, Profile):
        return []
    return [Waiting(record.id, send.id, send.waits_ms, send.dispatcher) for send in record.sends]


def timers_of(record: Record | None) -> list[bytes]:
    """The keys of a profile's pending timers."""
    if not isinstance(record, Profile):
        return []
    pending = [run for run in record.runs if run.state == "active" and run.due_ms]
    found = [keys.timer_key(run.due_ms, record.id, run.id, run.generation) for run in pending]
    if record.watched is not None and record.watched.wake_ms:
        found.append(keys.wake_key(record.watched.wake_ms, record.id))
    return found
