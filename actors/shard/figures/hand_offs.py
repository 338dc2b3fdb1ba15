"""A shard's sums over the hand-offs of its customers. They are durable with the turns that they count, and hold nothing
of a person."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from actors.storage.batch import Batch
from engine import codec
from engine.audit import Entry
from engine.handoffs.totals import Row, Way, way_of

PREFIX: Final = b"handoffs/"  # a fact about the shard for each way: many, and each turn changes one of them
_NEWS_MAX: Final = 10_000  # a simulation has nobody who takes them
Rows = dict[Way, Row]
_JOINT: Final = "\x1f"
_row = msgspec.msgpack.Decoder(Row)


class HandOffTotals:
    """The rows of one shard. `news` are the hand-offs since they were last told to the metrics."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self.rows: Rows = dict(unpacked(key, record) for key, record in batch.committed("meta", PREFIX))
        self.news: deque[Mapping[str, Any]] = deque(maxlen=_NEWS_MAX)

    def entry(self, entry: Entry) -> None:
        """Count an entry of a timeline that tells a hand-off."""
        way = way_of(entry.detail, self.rows)
        self.rows.setdefault(way, Row()).add(entry.detail)
        self._put(way)
        self.news.append(entry.detail | dict(zip(("from", "into", "by"), way, strict=True)))

    def records(self) -> list[tuple[bytes, bytes]]:
        """All rows, as they are stored."""
        return [(key_of(way), packed(row)) for way, row in self.rows.items()]

    def arrive(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Add the sums that a pinned profile brings along."""
        for way, row in (unpacked(*each) for each in records):
            self.rows.setdefault(way, Row()).join(row)
            self._put(way)

    def leave(self) -> None:
        """Let all sums go, because they have moved along."""
        for way in self.rows:
            self._batch.put("meta", key_of(way), None)
        self.rows = {}

    def _put(self, way: Way) -> None:
        self._batch.put("meta", key_of(way), packed(self.rows[way]))


def key_of(way: Way) -> bytes:
    """The key of a row."""
    return PREFIX + _JOINT.join(way).encode()


def packed(row: Row) -> bytes:
    """The record of a row."""
    return codec.seal(msgspec.msgpack.encode(row))


def unpacked(key: bytes, record: bytes) -> tuple[Way, Row]:
    """A row and its way, from a record."""
    was, into, by = key.removeprefix(PREFIX).decode().split(_JOINT)
    return (was, into, by), _row.decode(codec.unseal(record, "meta/handoffs"))
