"""Tells damage in RocksDB's manifest from the torn end that a crash leaves, and one store from another.

A record of the manifest begins with its length. Where the length exceeds the rest of the file, RocksDB takes the record
for the torn end of a crash, and drops it with all that follows. A damaged length looks the same. But then some shorter
piece of the following bytes has the record's checksum, and this module looks for such a piece.

The format: https://github.com/facebook/rocksdb/wiki/Write-Ahead-Log-File-Format
"""

from __future__ import annotations

import struct
from pathlib import Path

from engine.errors import Corrupt

_BLOCK_BYTES = 32_768
_HEAD = struct.Struct("<IHB")  # masked checksum, length, type
_MASK_DELTA = 0xA282EAD8
_ID_TAG, _ID_BYTES = b"\x81@$", 36  # of the record with the store's name for itself, and its length


def check_manifest(store: Path) -> None:
    """Corrupt where the manifest that counts ends in a whole record with a wrong length."""
    try:
        path = store / (store / "CURRENT").read_text("ascii").strip()
        content = path.read_bytes()
    except (OSError, ValueError):
        return  # RocksDB itself names the missing file
    if _ends_in_a_wrong_length(content):
        raise Corrupt("is damaged: the length of a record is not as it was written", str(path))


def check_identity(store: Path) -> None:
    """Corrupt where the store's name for itself is not the one that its manifest begins with. The manifest is whole."""
    path = store / "IDENTITY"
    if not path.exists():
        raise Corrupt("is missing", str(path))
    content = (store / (store / "CURRENT").read_text("ascii").strip()).read_bytes()[_HEAD.size :]
    name = content[len(_ID_TAG) :][:_ID_BYTES]
    if content.startswith(_ID_TAG) and path.read_bytes().strip() != name:
        raise Corrupt("is damaged, or of another store", str(path))


def _ends_in_a_wrong_length(content: bytes) -> bool:
    position = 0
    while position + _HEAD.size <= len(content):
        if _BLOCK_BYTES - position % _BLOCK_BYTES < _HEAD.size:
            position += _BLOCK_BYTES - position % _BLOCK_BYTES  # a block ends in zeros where no head fits
            continue
        checksum, length, kind = _HEAD.unpack_from(content, position)
        end = position + _HEAD.size + length
        block_end = (position // _BLOCK_BYTES + 1) * _BLOCK_BYTES
        if end > min(len(content), block_end):
            return _has_piece(bytes([kind]), content[position + _HEAD.size : block_end], _unmasked(checksum))
        position = end
    return False


def _has_piece(kind: bytes, rest: bytes, checksum: int) -> bool:
    """Whether any piece from the start of the following bytes has this checksum."""
    state = _crc(0xFFFFFFFF, kind)
    for byte in rest:
        state = _TABLE[(state ^ byte) & 0xFF] ^ state >> 8
        if state ^ 0xFFFFFFFF == checksum:
            return True
    return False


def _unmasked(checksum: int) -> int:
    rotated = (checksum - _MASK_DELTA) & 0xFFFFFFFF
    return (rotated >> 17 | rotated << 15) & 0xFFFFFFFF


def _crc(state: int, content: bytes) -> int:
    for byte in content:
        state = _TABLE[(state ^ byte) & 0xFF] ^ state >> 8
    return state


def _table_entry(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)  # CRC-32C, as RFC 3720 has it
    return value


_TABLE = [_table_entry(value) for value in range(256)]
