"""A key per profile, so that erasing 48 bytes erases every copy of a person's records, backups included (Invariant 10).

A key file is an array of slots: a 32-byte key wrapped by AES-GCM under the engine's key, or zeros where it was erased.
Keys are made and synced in blocks ahead of their use, so a new profile costs no sync of its own. A shard appends to
its own file alone, a new block at each start, and never uses a slot twice; it reads and erases in all files.

A locked record is the schema version, key id 1, where its key stands (file, slot), a nonce, and the plain record
encrypted. So it can be copied verbatim from store to store. NIST SP 800-38D bounds random nonces to 2^32 a key.
"""

from __future__ import annotations

import errno
import os
from collections import OrderedDict
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.codec import VERSION
from engine.errors import Corrupt, NotFound, NotReady, UsageError

KEY_BYTES = 32
SLOT_BYTES = KEY_BYTES + 16
BLOCK_SLOTS = 1024
PLACE_BYTES = 6  # of a key: 2 of file, 4 of slot
_NONCE_BYTES = 12
_LOCKED = bytes([VERSION, 1])
_HEAD_BYTES = len(_LOCKED) + PLACE_BYTES
_NONCES_AT_ONCE = 256
_CIPHERS_KEPT = 4_000  # 2.5 KB each
_ERASED = bytes(SLOT_BYTES)


class Vault(Protocol):
    """Where the keys of profiles are."""

    def new_key(self) -> bytes:
        """The place of a key that nobody has used, durable; empty where records stay plain."""
        ...

    def lock(self, place: bytes, record: bytes) -> bytes:
        """A plain record under a key."""
        ...

    def unlock(self, record: bytes) -> bytes:
        """The plain record; one that is plain comes back as it is. NotFound where its key was erased."""
        ...

    def erase(self, place: bytes) -> None:
        """Destroy a key: durable on return. What was locked under it can never be read again."""
        ...


class PlainVault:
    """No keys: for simulation, where nothing reaches a disk."""

    def new_key(self) -> bytes:
        """No place."""
        return b""

    def lock(self, place: bytes, record: bytes) -> bytes:
        """The record itself."""
        return record

    def unlock(self, record: bytes) -> bytes:
        """The record itself."""
        return record

    def erase(self, place: bytes) -> None:
        """Nothing to destroy."""


def place_in(record: bytes) -> bytes:
    """Where the key of a locked record stands; empty for a plain one."""
    return record[2:_HEAD_BYTES] if record[:2] == _LOCKED else b""


class FileVault:
    """The key files of one engine, in `folder`; new keys go to file `number`. Not thread-safe."""

    def __init__(self, folder: Path, engine_key: bytes, number: int | None = None) -> None:
        """Without a number nothing can be locked under a new key."""
        self._folder, self._number = folder, number
        self._wrap = AESGCM(engine_key)
        self._files: dict[int, int] = {}
        self._ciphers: OrderedDict[bytes, AESGCM] = OrderedDict()
        self._nonces: list[bytes] = []
        self._next = self._made = 0
        if number is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            size = os.fstat(self._file(number, create=True)).st_size
            self._next = self._made = -(-size // SLOT_BYTES)  # a torn last slot was never given away
            if size:
                self._check(number)

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files.values():
            os.close(file)
        self._files.clear()
        self._ciphers.clear()

    def new_key(self) -> bytes:
        """The place of a key that nobody has used."""
        assert self._number is not None, "this vault only reads"
        if self._next == self._made:
            self._make_block(self._number)
        self._next += 1
        return self._number.to_bytes(2) + (self._next - 1).to_bytes(4)

    def lock(self, place: bytes, record: bytes) -> bytes:
        """A plain record under a key."""
        if not self._nonces:
            fresh = os.urandom(_NONCE_BYTES * _NONCES_AT_ONCE)
            self._nonces = [fresh[start : start + _NONCE_BYTES] for start in range(0, len(fresh), _NONCE_BYTES)]
        nonce = self._nonces.pop()
        return _LOCKED + place + nonce + self._cipher(place).encrypt(nonce, record, None)

    def unlock(self, record: bytes) -> bytes:
        """The plain record."""
        if record[:2] != _LOCKED:
            return record
        nonce = record[_HEAD_BYTES : _HEAD_BYTES + _NONCE_BYTES]
        try:
            return self._cipher(place_in(record)).decrypt(nonce, record[_HEAD_BYTES + _NONCE_BYTES :], None)
        except InvalidTag:
            raise Corrupt("cannot be decrypted", "a locked record") from None

    def erase(self, place: bytes) -> None:
        """Destroy a key."""
        number, slot = _parts(place)
        file = self._file(number)
        try:
            os.pwrite(file, _ERASED, slot * SLOT_BYTES)
            os.fdatasync(file)
        except OSError as error:
            raise NotReady(f"the disk takes no more: {error.strerror}") from error
        self._ciphers.pop(place, None)

    def _make_block(self, number: int) -> None:
        """Keys ahead of their use, synced once for all of them."""
        slots = range(self._made, self._made + BLOCK_SLOTS)
        made = [self._wrap.encrypt(_wrap_nonce(number, slot), os.urandom(KEY_BYTES), None) for slot in slots]
        file = self._file(number)
        try:
            if os.pwrite(file, b"".join(made), self._made * SLOT_BYTES) < BLOCK_SLOTS * SLOT_BYTES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fdatasync(file)
        except OSError as error:
            raise NotReady(f"the disk takes no more: {error.strerror}") from error
        self._made += BLOCK_SLOTS

    def _cipher(self, place: bytes) -> AESGCM:
        found = self._ciphers.get(place)
        if found is None:
            number, slot = _parts(place)
            found = self._ciphers[place] = AESGCM(self._key(number, slot))
            if len(self._ciphers) > _CIPHERS_KEPT:
                self._ciphers.popitem(last=False)
        return found

    def _key(self, number: int, slot: int) -> bytes:
        wrapped = self._slot(number, slot)
        if wrapped == _ERASED:
            raise NotFound("this person was erased", "identifier")
        try:
            return self._wrap.decrypt(_wrap_nonce(number, slot), wrapped, None)
        except (InvalidTag, ValueError):
            raise Corrupt(f"slot {slot} cannot be read", str(self._path(number))) from None

    def _check(self, number: int) -> None:
        """Another engine's key is told apart from a slot that is broken: it opens none of the first block."""
        for slot in range(BLOCK_SLOTS):
            wrapped = self._slot(number, slot)
            try:
                if wrapped != _ERASED:
                    self._wrap.decrypt(_wrap_nonce(number, slot), wrapped, None)
                    return
            except (InvalidTag, ValueError):
                continue
        raise UsageError(f"the engine key does not open {self._path(number)}", "engine.key")

    def _slot(self, number: int, slot: int) -> bytes:
        return os.pread(self._file(number), SLOT_BYTES, slot * SLOT_BYTES)

    def _file(self, number: int, *, create: bool = False) -> int:
        found = self._files.get(number)
        if found is None:
            flags = os.O_RDWR | (os.O_CREAT if create else 0)
            try:
                found = self._files[number] = os.open(self._path(number), flags, 0o600)
            except OSError as error:
                raise Corrupt(f"cannot be opened: {error.strerror}", str(self._path(number))) from error
        return found

    def _path(self, number: int) -> Path:
        return self._folder / f"keys-{number:05d}"


def _parts(place: bytes) -> tuple[int, int]:
    return int.from_bytes(place[:2]), int.from_bytes(place[2:])


def _wrap_nonce(number: int, slot: int) -> bytes:
    """A slot is written once with one key, so its place is a nonce that never comes twice."""
    return number.to_bytes(4) + slot.to_bytes(8)
