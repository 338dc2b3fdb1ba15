"""The recent events of a profile, packed until somebody reads them.

A profile is written after every turn, and most turns only add an event. So each event is packed once, when it happens,
behind those that came before it. All of them lie in one piece of memory, which the state's bytes take as it is; were
they scattered, the processor would wait for each of them. A packed event is a third of an unpacked one.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any, overload

import msgspec

from engine.values.paths import values_at
from engine.values.spelling import composed

encoder = msgspec.msgpack.Encoder(order="deterministic")


class Part(msgspec.Struct, array_like=True):
    """A piece of the state; written as an array, so its fields may only be added at the end, with a default."""


class Happened(Part):
    """An event in the history. `seq` is its place in the order of arrival at the profile that it first belonged to.
    `heard_ms` is the clock of the turn that heard it, where its own time was ahead of that; else 0."""

    at_ms: int
    seq: int
    name: str
    properties: dict[str, Any]
    message_id: str = ""
    channel: str = ""
    source: str = ""
    heard_ms: int = 0
    by: tuple[str, ...] = ()  # the places of the identifiers that it carried, while merges can be undone

    @property
    def counts_ms(self) -> int:
        """When it happened, compared with other events: never after it was heard, even where its clock ran ahead."""
        return self.heard_ms or self.at_ms


def history_order(event: Happened) -> tuple[int, int, str, str]:
    """(event time, arrival). After a merge two events may share both, and then ids and names decide."""
    return event.at_ms, event.seq, event.message_id, event.name


class Recent(Sequence[Happened]):
    """Recent events in their order. They stay packed until somebody reads them, and keep their packed form then, so a
    turn that only adds one neither unpacks nor packs the others."""

    __slots__ = ("_by_name", "_by_text", "_ends", "_events", "_packed")

    def __init__(self, events: Iterable[Happened] = (), packed: Sequence[bytes | msgspec.Raw] | None = None) -> None:
        """Of `events`; or of the packed form of each of them."""
        self._events = [*events] if packed is None else None
        self._pack([encoder.encode(event) for event in self._events] if self._events is not None else packed or ())
        self._by_name: dict[str, list[Happened]] | None = None
        self._by_text: dict[tuple[str, str], dict[str, list[int]]] = {}

    def __len__(self) -> int:
        return len(self._ends)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recent) and (self._packed, self._ends) == (other._packed, other._ends)

    __hash__ = None  # type: ignore[assignment]  # events come and go

    @overload
    def __getitem__(self, place: int) -> Happened: ...
    @overload
    def __getitem__(self, place: slice) -> list[Happened]: ...
    def __getitem__(self, place: int | slice) -> Happened | list[Happened]:
        return self.events[place]

    @property
    def events(self) -> list[Happened]:
        """All of them, to read."""
        if self._events is None:
            self._events = _happened.decode(self.packed)
        return self._events

    def newest(self) -> Iterator[Happened]:
        """All of them, the newest first; only those that are asked for are unpacked."""
        if self._events is not None:
            yield from reversed(self._events)
        else:
            yield from map(_one.decode, reversed(self._parts()))

    def named(self, name: str) -> list[Happened]:
        """The events of a name, newest first."""
        if self._by_name is None:
            self._by_name = {}
            for event in reversed(self.events):
                self._by_name.setdefault(event.name, []).append(event)
        return self._by_name.get(name, [])

    def by_text(self, at: tuple[str, str]) -> dict[str, list[int]]:
        """The times of the events of a name, newest first, by each text (composed) that they have at a path. Worked out
        for all texts at once, because many conditions ask for one of them each."""
        found = self._by_text.get(at)
        if found is None:
            name, path = at
            found = self._by_text[at] = {}
            steps = tuple(path.split("."))
            for event in self.named(name):
                values = values_at(event.properties, steps)
                for text in {composed(value) for value in values if value.__class__ is str}:
                    found.setdefault(text, []).append(event.at_ms)
        return found

    @property
    def packed(self) -> msgspec.Raw:
        """The list of them, packed."""
        return msgspec.Raw(_head(len(self._ends)) + self._packed)

    @property
    def packed_bytes(self) -> int:
        """The length of all packed events."""
        return len(self._packed)

    def bytes_of(self, place: int) -> int:
        """The length of one packed event."""
        return int(self._ends[place] - (self._ends[place - 1] if place else 0))

    @property
    def is_read(self) -> bool:
        """Whether the unpacked form is in memory too."""
        return self._events is not None

    def add(self, event: Happened) -> None:
        """Put an event at its place by (event time, arrival)."""
        # From the end, because nearly every event is the newest. Of equal times the later arrival stands behind.
        place = len(self._ends)
        while place and self._at_ms(place - 1) > event.at_ms:
            place -= 1
        packed = encoder.encode(event)
        if place == len(self._ends):
            self._packed += packed
            self._ends.append(len(self._packed))
            self._index_newest(event)
        else:
            parts = self._parts()
            parts.insert(place, packed)
            self._pack(parts)
            self._forget_indices()
        if self._events is not None:
            self._events.insert(place, event)

    def drop(self, places: Collection[int]) -> None:
        """Let the events at these places go."""
        self._pack([packed for place, packed in enumerate(self._parts()) if place not in places])
        if self._events is not None:
            self._events = [event for place, event in enumerate(self._events) if place not in places]
        self._forget_indices()

    def _pack(self, parts: Sequence[bytes | msgspec.Raw]) -> None:
        self._packed = bytearray().join(parts)
        self._ends = array("I", accumulate(map(len, parts)))

    def _parts(self) -> list[bytes]:
        whole = bytes(self._packed)
        return [whole[start:end] for start, end in pairwise((0, *self._ends))]

    def _index_newest(self, event: Happened) -> None:
        if self._by_name is not None:
            self._by_name.setdefault(event.name, []).insert(0, event)
        for at in [at for at in self._by_text if at[0] == event.name]:
            del self._by_text[at]

    def _forget_indices(self) -> None:
        self._by_name, self._by_text = None, {}

    def _at_ms(self, place: int) -> int:
        if self._events is not None:
            return self._events[place].at_ms
        start = self._ends[place - 1] if place else 0
        return _time.decode(self._packed[start : self._ends[place]]).at_ms


class _Time(Part):
    """An event of which only the first field is decoded."""

    at_ms: int


_one = msgspec.msgpack.Decoder(Happened)
_happened = msgspec.msgpack.Decoder(list[Happened])
_time = msgspec.msgpack.Decoder(_Time)


@lru_cache(maxsize=256)
def _head(count: int) -> bytes:
    """The head of a msgpack list of so many elements: a list of that many None, a byte each, with these cut off."""
    return encoder.encode([None] * count)[: -count or None]
