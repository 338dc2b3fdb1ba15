"""The recent events of a profile, packed until somebody reads them.

A profile is written after every turn and most turns only add an event. So each event is packed once, when it happens;
the state's bytes take it as it is. In memory a packed event is a third of an unpacked one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, overload

import msgspec

from engine.value_tests import values_at

encoder = msgspec.msgpack.Encoder(order="deterministic")


class Part(msgspec.Struct, array_like=True):
    """A piece of the state; written as an array, so its fields may only be added at the end, with a default."""


class Happened(Part):
    """An event in the history; `seq` is its place in the order of arrival at the profile that it first belonged to."""

    at_ms: int
    seq: int
    name: str
    properties: dict[str, Any]
    message_id: str = ""
    channel: str = ""
    source: str = ""


def history_order(event: Happened) -> tuple[int, int, str, str]:
    """(event time, arrival); after an absorb two pasts may share both, and then ids and names decide."""
    return event.at_ms, event.seq, event.message_id, event.name


class Recent(Sequence[Happened]):
    """Recent events in their order. They stay packed until somebody reads them, and keep their packed form then, so a
    turn that only adds one neither unpacks nor packs the others."""

    __slots__ = ("_by_name", "_by_text", "_events", "_packed", "packed_bytes")

    def __init__(self, events: Iterable[Happened] = (), packed: list[msgspec.Raw] | None = None) -> None:
        """Of `events`, or of what `packed` gave earlier."""
        self._events = [*events] if packed is None else None
        self._packed = [_pack(event) for event in self._events] if self._events is not None else packed or []
        self.packed_bytes = sum(map(len, self._packed))
        self._by_name: dict[str, list[Happened]] | None = None
        self._by_text: dict[tuple[str, str], dict[str, list[int]]] = {}

    def __len__(self) -> int:
        return len(self._packed)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recent) and self._packed == other._packed

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
            self._events = _happened.decode(encoder.encode(self._packed))
        return self._events

    def newest(self) -> Iterator[Happened]:
        """All of them, the newest first; only those that are asked for are unpacked."""
        if self._events is not None:
            yield from reversed(self._events)
        else:
            yield from map(_one.decode, reversed(self._packed))

    def named(self, name: str) -> list[Happened]:
        """The events of a name, newest first."""
        if self._by_name is None:
            self._by_name = {}
            for event in reversed(self.events):
                self._by_name.setdefault(event.name, []).append(event)
        return self._by_name.get(name, [])

    def by_text(self, at: tuple[str, str]) -> dict[str, list[int]]:
        """When events of a name happened, newest first, by each text that they have at a path. Many conditions ask for
        one of these texts each."""
        found = self._by_text.get(at)
        if found is None:
            name, path = at
            found = self._by_text[at] = {}
            steps = tuple(path.split("."))
            for event in self.named(name):
                for text in {value for value in values_at(event.properties, steps) if value.__class__ is str}:
                    found.setdefault(text, []).append(event.at_ms)
        return found

    @property
    def packed(self) -> list[msgspec.Raw]:
        """Their packed forms."""
        return self._packed

    @property
    def is_read(self) -> bool:
        """Whether the unpacked form is in memory too."""
        return self._events is not None

    def add(self, event: Happened) -> None:
        """An event, where (event time, arrival) says."""
        place = len(self._packed)
        while place and self._at_ms(place - 1) > event.at_ms:
            place -= 1
        packed = _pack(event)
        self._packed.insert(place, packed)
        self.packed_bytes += len(packed)
        if self._events is not None:
            self._events.insert(place, event)
            self._forget_indices()

    def drop(self, places: Collection[int]) -> None:
        """Let the events at these places go."""
        self._packed = [packed for place, packed in enumerate(self._packed) if place not in places]
        self.packed_bytes = sum(map(len, self._packed))
        if self._events is not None:
            self._events = [event for place, event in enumerate(self._events) if place not in places]
            self._forget_indices()

    def _forget_indices(self) -> None:
        self._by_name, self._by_text = None, {}

    def _at_ms(self, place: int) -> int:
        return self._events[place].at_ms if self._events is not None else _time.decode(self._packed[place]).at_ms


class _Time(Part):
    """The first field of an event."""

    at_ms: int


_one = msgspec.msgpack.Decoder(Happened)
_happened = msgspec.msgpack.Decoder(list[Happened])
_time = msgspec.msgpack.Decoder(_Time)


def _pack(event: Happened) -> msgspec.Raw:
    return msgspec.Raw(encoder.encode(event))
