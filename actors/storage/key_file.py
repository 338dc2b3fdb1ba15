"""One file of keys: a head, then slots. A slot is a random nonce and a key wrapped by AES-GCM under the engine's key,
bound to its file and its place in it; zeros where the key was erased.

Nonces are random, so a file that is lost, cut or brought back from a copy never repeats a pair of key and nonce (NIST
SP 800-38D bounds random nonces to 2^32 under one key). The head is wrapped too, so that the wrong engine key can be
told from a damaged file. Files of formats 1 and 2 have no head, and use a slot's place as its nonce: keys are read and
erased in them, and none is added.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from actors.platform import durable
from engine.errors import Corrupt, StoreFailed, UsageError

BLOCK_SLOTS = 1024
KEY_BYTES, _TAG_BYTES, _NONCE_BYTES = 32, 16, 12
SLOT_BYTES = _NONCE_BYTES + KEY_BYTES + _TAG_BYTES
HEAD_BYTES = SLOT_BYTES
OLD_SLOT_BYTES = KEY_BYTES + _TAG_BYTES
_MAGIC = b"SEGUEKEY"
_HEAD_PLAIN = bytes(HEAD_BYTES - len(_MAGIC) - _NONCE_BYTES - _TAG_BYTES)


class KeyFile:
    """An open key file with `slots` durable slots. A slot that is torn at the end was never given to anybody."""

    def __init__(self, path: Path, number: int, wrap: AESGCM) -> None:
        """Corrupt where the file is missing or damaged as a whole, UsageError where the engine's key is another one."""
        self.path, self._number, self._wrap = path, number, wrap
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            reason = "is missing" if error.errno == errno.ENOENT else f"cannot be opened: {error.strerror}"
            raise Corrupt(reason, str(path)) from error
        try:
            self.is_old = not self._has_head()
            self._slot_bytes = OLD_SLOT_BYTES if self.is_old else SLOT_BYTES
            self._start = 0 if self.is_old else HEAD_BYTES
            size = os.fstat(self._file).st_size - self._start
            self.slots = -(-size // self._slot_bytes)  # a torn slot counts, so that it is not used again
            if self.is_old and self.slots:
                self._check_old()
        except BaseException:
            self.close()
            raise

    @classmethod
    def make(cls, path: Path, number: int, wrap: AESGCM) -> None:
        """A file with a head and no slots, durable on return, unless there is one. StoreFailed on a full disk."""
        if path.exists():
            return
        nonce = os.urandom(_NONCE_BYTES)
        head = _MAGIC + nonce + wrap.encrypt(nonce, _HEAD_PLAIN, _MAGIC + number.to_bytes(4))
        try:
            durable.write(path, head)
        except OSError as error:
            raise StoreFailed(f"the disk takes no more: {error.strerror}") from error

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def key(self, slot: int) -> bytes | None:
        """A key; None where it was erased. Corrupt where it cannot be read."""
        wrapped = os.pread(self._file, self._slot_bytes, self._start + slot * self._slot_bytes)
        try:
            return self._unwrapped(slot, wrapped)
        except (InvalidTag, ValueError):
            raise Corrupt(f"slot {slot} cannot be read", str(self.path)) from None

    def broken(self) -> list[int]:
        """The slots that cannot be read, without one that is torn at the end."""
        found = []
        for first in range(0, self.slots, BLOCK_SLOTS):
            start = self._start + first * self._slot_bytes
            block = os.pread(self._file, BLOCK_SLOTS * self._slot_bytes, start)
            for offset in range(len(block) // self._slot_bytes):
                wrapped = block[offset * self._slot_bytes : (offset + 1) * self._slot_bytes]
                try:
                    self._unwrapped(first + offset, wrapped)
                except (InvalidTag, ValueError):
                    found.append(first + offset)
        return found

    def erase(self, slot: int) -> None:
        """Overwrite a key, durably."""
        try:
            os.pwrite(self._file, bytes(self._slot_bytes), self._start + slot * self._slot_bytes)
            os.fdatasync(self._file)
        except OSError as error:
            raise StoreFailed(f"the disk takes no more: {error.strerror}") from error

    def add_block(self) -> None:
        """Make a block of keys ahead of their use, with one sync for all of them."""
        assert not self.is_old, "new keys go to files of the present format"
        block = b"".join(self._fresh(slot) for slot in range(self.slots, self.slots + BLOCK_SLOTS))
        try:
            # A disk with room for a part takes that part, and reports no error.
            if os.pwrite(self._file, block, self._start + self.slots * SLOT_BYTES) < len(block):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fdatasync(self._file)
        except OSError as error:
            raise StoreFailed(f"the disk takes no more: {error.strerror}") from error
        self.slots += BLOCK_SLOTS

    def is_there(self) -> bool:
        """Whether the open file still has its name, and all of its slots are in it."""
        try:
            named = self.path.stat()
        except OSError:
            return False
        opened = os.fstat(self._file)
        is_same = (named.st_ino, named.st_dev) == (opened.st_ino, opened.st_dev)
        return is_same and opened.st_size >= self._start + (self.slots - 1) * self._slot_bytes

    def replaced(self) -> KeyFile:
        """The file that has this name by now, opened; StoreFailed unless it equals this one to the byte."""
        opened = os.pread(self._file, os.fstat(self._file).st_size, 0)
        try:
            is_same = bool(opened) and self.path.read_bytes() == opened
        except OSError:
            is_same = False
        if not is_same:
            raise StoreFailed(f"{self.path}: is missing or another file since the engine has opened it; bring it back")
        fresh = KeyFile(self.path, self._number, self._wrap)
        self.close()
        return fresh

    def _fresh(self, slot: int) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._wrap.encrypt(nonce, os.urandom(KEY_BYTES), self._bound(slot))

    def _unwrapped(self, slot: int, wrapped: bytes) -> bytes | None:
        if wrapped and not any(wrapped):
            return None
        if self.is_old:
            return self._wrap.decrypt(_old_nonce(self._number, slot), wrapped, None)
        return self._wrap.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], self._bound(slot))

    def _bound(self, slot: int) -> bytes:
        return self._number.to_bytes(4) + slot.to_bytes(8)

    def _has_head(self) -> bool:
        """Whether the file is of the present format; Corrupt where its head is damaged."""
        head = os.pread(self._file, HEAD_BYTES, 0)
        nonce = head[len(_MAGIC) : len(_MAGIC) + _NONCE_BYTES]
        try:
            self._wrap.decrypt(nonce, head[len(_MAGIC) + _NONCE_BYTES :], _MAGIC + self._number.to_bytes(4))
            is_whole = head.startswith(_MAGIC)
        except (InvalidTag, ValueError):
            # An old file without a head, another engine's file, or a damaged head: the slots behind it tell which.
            if not head.startswith(_MAGIC) and not self._opens(HEAD_BYTES, SLOT_BYTES):
                return False
            if not self._opens(HEAD_BYTES, SLOT_BYTES) and os.fstat(self._file).st_size > HEAD_BYTES:
                raise self._of_another() from None
            is_whole = False
        if not is_whole:
            raise Corrupt("is damaged: its head is not as it was written", str(self.path))
        return True

    def _check_old(self) -> None:
        if not self._opens(0, OLD_SLOT_BYTES):
            raise self._of_another()

    def _opens(self, start: int, size: int) -> bool:
        """Whether the engine's key opens a slot of the first block. An erased slot counts as opened."""
        self.is_old, self._slot_bytes, self._start = size == OLD_SLOT_BYTES, size, start
        block = os.pread(self._file, BLOCK_SLOTS * size, start)
        for slot in range(len(block) // size):
            try:
                self._unwrapped(slot, block[slot * size : (slot + 1) * size])
            except (InvalidTag, ValueError):
                continue
            return True
        return False

    def _of_another(self) -> UsageError:
        return UsageError(f"the engine key does not open {self.path}", "engine.key")


def _old_nonce(number: int, slot: int) -> bytes:
    return number.to_bytes(4) + slot.to_bytes(8)
