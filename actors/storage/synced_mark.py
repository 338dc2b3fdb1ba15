"""A mark in a small file beside a store: how far the store was synced. A log that ends before the mark has lost
acknowledged records.

RocksDB cannot tell a log that was cut short from one that ends there. The mark is made durably with its store. After
each sync it is overwritten in place, and not synced itself: after a power cut it may be behind, never ahead.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from pathlib import Path

from actors.platform import durable
from engine.errors import Corrupt, NotReady

FILE = "SYNCED"
_NUMBER, _CHECK = struct.Struct("<Q"), struct.Struct("<I")


class SyncedMark:
    """The mark of one store. A store of an earlier version has none, and may end anywhere."""

    def __init__(self, store: Path) -> None:
        self._path = store / FILE
        self._file = -1

    def make(self, sequence: int) -> None:
        """A mark where there was none, durable on return. NotReady where the disk takes no more."""
        try:
            durable.write(self._path, _packed(sequence))
        except OSError as error:
            raise NotReady(f"the disk takes no more: {error.strerror}") from error

    def put(self, sequence: int) -> None:
        """Everything up to this sequence number is synced."""
        with contextlib.suppress(OSError):  # a mark that is behind is no fault
            os.pwrite(self._opened(), _packed(sequence), 0)

    def is_there(self) -> bool:
        """Whether the file still has its name. If it has gone, the store's folder has probably gone too."""
        try:
            named, opened = self._path.stat(), os.fstat(self._opened())
        except OSError:
            return False
        return (named.st_ino, named.st_dev) == (opened.st_ino, opened.st_dev)

    def check(self, sequence: int, log: Path, *, is_marked: bool) -> None:
        """Corrupt where the store, whose last record has this sequence number, ends before the mark, or where a store
        has lost its mark."""
        raw = self._path.read_bytes() if self._path.exists() else b""
        if not raw and not is_marked:
            return
        if not raw:
            raise Corrupt("is empty" if self._path.exists() else "is missing", str(self._path))
        number = raw[: _NUMBER.size]
        if raw[_NUMBER.size :] != _CHECK.pack(zlib.crc32(number)):
            raise Corrupt("is damaged: its check does not match", str(self._path))
        (synced,) = _NUMBER.unpack(number)
        if sequence < synced:
            raise Corrupt(f"ends at record {sequence}, and {synced} were acknowledged", str(log))

    def _opened(self) -> int:
        if self._file < 0:
            self._file = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        return self._file

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _packed(sequence: int) -> bytes:
    number = _NUMBER.pack(sequence)
    return number + _CHECK.pack(zlib.crc32(number))
