"""Inputs on disk while a history is sorted into neighbourhoods, so that memory does not grow with the events.

Each process appends to a file of its own, and tells where its blocks are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import lz4.block
import msgspec

from engine import codec
from engine.inputs import AnyInput
from serve.simulation.sources import Begin, Told

Packed = tuple[int, str, bytes]  # as `Told`, the input still packed

_BEGIN = b"B"  # no packed input begins so: each is a map
_begin = msgspec.msgpack.Decoder(Begin)
_packed = msgspec.msgpack.Decoder(list[Packed])


class Block(NamedTuple):
    """Where some inputs of one lot are."""

    lot: int
    path: Path
    start: int
    size: int


class Spool:
    """The blocks that this process writes."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}-{os.getpid()}"

    def put(self, lot: int, inputs: Sequence[Packed]) -> Block:
        """Append a block."""
        packed = lz4.block.compress(msgspec.msgpack.encode(inputs))
        with self._path.open("ab") as file:
            return Block(lot, self._path, file.tell(), file.write(packed))


def pack(inputs: Iterable[Told]) -> list[Packed]:
    """Inputs, packed each by itself: who sorts them need not read them."""
    return [(each.at_ms, each.place, _pack(each.told)) for each in inputs]


def _pack(told: AnyInput | Begin) -> bytes:
    return _BEGIN + msgspec.msgpack.encode(told) if isinstance(told, Begin) else codec.encode_input(told)


def _unpack(packed: bytes) -> AnyInput | Begin:
    return _begin.decode(packed[1:]) if packed[:1] == _BEGIN else codec.decode_input(packed)


def packed_in(block: Block) -> list[Packed]:
    """The inputs of a block, still packed."""
    with block.path.open("rb") as file:
        file.seek(block.start)
        return _packed.decode(lz4.block.decompress(file.read(block.size)))


def told_in(block: Block) -> list[Told]:
    """The inputs of a block."""
    return [Told(at_ms, place, _unpack(told)) for at_ms, place, told in packed_in(block)]
