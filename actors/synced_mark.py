"""How far a store was synced, in a small file beside it: a log that ends earlier has lost what was acknowledged.

RocksDB cannot tell a log that was cut short from one that ends there. The mark is written after each sync and is not
synced itself: after a power cut it may be behind, never ahead.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

from engine.errors import Corrupt

FILE = "SYNCED"
_NUMBER, _CHECK = struct.Struct("<Q"), struct.Struct("<I")


class SyncedMark:
    """The mark of one store. A store that has none yet (new, restored, of an earlier version) may end anywhere."""

    def __init__(self, store: Path) -> None:
        self._path = store / FILE
        self._file = -1

    def put(self, sequence: int) -> None:
        """Everything up to this sequence number is synced."""
        number = _NUMBER.pack(sequence)
        try:
            if self._file < 0:
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            os.pwrite(self._file, number + _CHECK.pack(zlib.crc32(number)), 0)
        except OSError:
            return  # a mark that is behind is no fault

    def check(self, sequence: int, log: Path) -> None:
        """Corrupt where the store, whose last record has this sequence number, ends before the mark."""
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return
        if not raw:
            return  # the disk was full when it was made
        number = raw[: _NUMBER.size]
        if raw[_NUMBER.size :] != _CHECK.pack(zlib.crc32(number)):
            raise Corrupt("is damaged: its check does not match", str(self._path))
        (synced,) = _NUMBER.unpack(number)
        if sequence < synced:
            raise Corrupt(f"ends at record {sequence}, and {synced} were acknowledged", str(log))

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
