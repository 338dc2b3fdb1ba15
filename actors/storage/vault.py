"""A key per profile. Erasing the key erases every copy of that person's records, backups included (Invariant 10).

A key file is an array of slots (`actors.storage.key_file`): a key wrapped under the engine's, or zeros where it was
erased. Keys are made and synced in blocks ahead of their use, so a new profile costs no sync of its own. A shard
appends to its own file alone, a new block at each start, and never uses a slot twice; it reads and erases in all files.
A file that was deleted while it is open is refused: its keys would be lost with the process.

A locked record is the schema version, key id 1, the place of its key (file, slot), a nonce, and the plain record
encrypted. So it can be copied verbatim from store to store. NIST SP 800-38D bounds random nonces to 2^32 a key.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from actors.platform import durable
from actors.storage.inventory import key_file_name
from actors.storage.key_file import BLOCK_SLOTS as BLOCK_SLOTS
from actors.storage.key_file import KeyFile
from engine.codec import VERSION
from engine.errors import Corrupt, NotFound

PLACE_BYTES = 6  # of a key: 2 of file, 4 of slot
_NONCE_BYTES = 12
_LOCKED = bytes([VERSION, 1])
_HEAD_BYTES = len(_LOCKED) + PLACE_BYTES
_NONCES_AT_ONCE = 256  # one system call for many records
_CIPHERS_KEPT = 4_000  # 2.5 KB each


class Vault(Protocol):
    """Keeps the keys of profiles, and locks and unlocks records with them."""

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

    def check_key(self, place: bytes) -> None:
        """Corrupt, with the name of the file, where a key cannot be read; NotFound where it was erased."""
        ...

    def check_there(self) -> None:
        """StoreFailed where a file that is in use has lost its name, or the name is another file's by now."""
        ...

    def extent(self) -> tuple[str, int]:
        """The file of new keys, and the number of its durable slots; an empty name where there is none."""
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

    def check_key(self, place: bytes) -> None:
        """Nothing to read."""

    def check_there(self) -> None:
        """Nothing can go."""

    def extent(self) -> tuple[str, int]:
        """No file."""
        return "", 0


def place_in(record: bytes) -> bytes:
    """The place of a locked record's key; empty for a plain record."""
    return record[2:_HEAD_BYTES] if record[:2] == _LOCKED else b""


class FileVault:
    """The key files of one engine, in `folder`; new keys go to file `number`. Not thread-safe."""

    def __init__(self, folder: Path, engine_key: bytes, number: int | None = None, *, create: bool = True) -> None:
        """Without a number the vault makes no new keys. A missing file is made; without `create`, it is Corrupt."""
        self._folder, self._number = folder, number
        self._wrap = AESGCM(engine_key)
        self._files: dict[int, KeyFile] = {}
        self._ciphers: OrderedDict[bytes, AESGCM] = OrderedDict()
        self._nonces: list[bytes] = []
        self._next = 0
        if number is not None:
            if create:
                durable.make_folder(folder, 0o700)
                KeyFile.make(self.path(number), number, self._wrap)
            if self._file(number).is_old:
                raise Corrupt("is empty or of an earlier format, so no new key can go there", str(self.path(number)))
            # Behind all slots: nobody knows which of them an earlier process has given away.
            self._next = self._file(number).slots

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files.values():
            file.close()
        self._files.clear()
        self._ciphers.clear()

    def new_key(self) -> bytes:
        """The place of a key that nobody has used."""
        assert self._number is not None, "this vault only reads"
        file = self._file(self._number)
        if self._next == file.slots:
            file.add_block()
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
        number, slot = parts(place)
        self._file(number).erase(slot)
        self._ciphers.pop(place, None)

    def check_key(self, place: bytes) -> None:
        """Corrupt or NotFound where a key cannot be used. A key that was read before is not read again."""
        self._cipher(place)

    def check_there(self) -> None:
        """StoreFailed where a file has lost its name. If the name is that of a copy, equal to the byte, the copy is
        used from now on."""
        for number, file in list(self._files.items()):
            if not file.is_there():
                self._files[number] = file.replaced()

    def extent(self) -> tuple[str, int]:
        """The file of new keys, and the number of its durable slots."""
        if self._number is None:
            return "", 0
        return key_file_name(self._number), self._file(self._number).slots

    def check_slot(self, number: int, slot: int) -> None:
        """Corrupt where the key of a profile cannot be read, or is blank. The key is not cached."""
        if self._file(number).key(slot) is None:
            raise Corrupt(f"slot {slot} cannot be read: it is blank", str(self.path(number)))

    def path(self, number: int) -> Path:
        """The path of a key file."""
        return self._folder / key_file_name(number)

    def slots(self, number: int) -> int:
        """How many slots a file has; Corrupt where it is damaged as a whole."""
        return self._file(number).slots

    def broken(self, number: int) -> list[int]:
        """Every slot of a file that cannot be read, whether it is somebody's or not."""
        return self._file(number).broken()

    def _cipher(self, place: bytes) -> AESGCM:
        found = self._ciphers.get(place)
        if found is None:
            number, slot = parts(place)
            key = self._file(number).key(slot)
            if key is None:
                raise NotFound(f"slot {slot} is blank: this person was erased", str(self.path(number)))
            found = self._ciphers[place] = AESGCM(key)
            if len(self._ciphers) > _CIPHERS_KEPT:
                self._ciphers.popitem(last=False)
        return found

    def _file(self, number: int) -> KeyFile:
        found = self._files.get(number)
        if found is None:
            found = self._files[number] = KeyFile(self.path(number), number, self._wrap)
        return found


def parts(place: bytes) -> tuple[int, int]:
    """The file and the slot of a place."""
    return int.from_bytes(place[:2]), int.from_bytes(place[2:])
