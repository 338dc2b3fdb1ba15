"""Ids, draws and tokens: keyed hashes of what they stand for, because nothing in the engine is random
(`docs/design/identity.md#ids`).

Ids: `profile_id` names a profile by its slot, a keyed hash of its first identifier, and an epoch. Tokens: `sign` and
`verify` carry a small payload through a mail or a web page and back.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from functools import lru_cache
from hashlib import blake2b

from engine.errors import InvalidInput

SLOTS = 4096
# Equal ids wherever history is run again (`docs/design/virtual-time.md`).
FIXED_KEY = b"segue: a fixed key for replay and simulation"
_HASH_BYTES = 12
_TAG_BYTES = 12
TOKEN_MAX_CHARS = 2_000


def keyed(key: bytes, *parts: str | int, size: int = 12) -> str:
    """`2 * size` hex digits that stand for `parts` in this workspace (keyed blake2b)."""
    return blake2b("\x1f".join(map(str, parts)).encode(), key=key, digest_size=size).hexdigest()


@lru_cache(maxsize=65_536)
def profile_id(key: bytes, namespace: str, value: str, epoch: int = 0) -> str:
    """The id of the profile that this canonical identifier names first: 2 bytes of slot, 12 of hash, 1 of epoch, in
    hex."""
    digest = blake2b(f"{namespace}:{value}".encode(), key=key, digest_size=2 + _HASH_BYTES).digest()
    slot = int.from_bytes(digest[:2]) % SLOTS
    return f"{slot:04x}{digest[2:].hex()}{epoch:02x}"


def next_epoch(profile: str) -> str:
    """The id that the same place has after an erasure."""
    epoch = int(profile[-2:], 16) + 1
    assert epoch <= 255, "a place was erased 255 times"
    return f"{profile[:-2]}{epoch:02x}"


def slot_of(profile: str) -> int:
    """The slot, 0 to 4,095, that a profile id carries."""
    return int(profile[:4], 16)


def draw(key: bytes, *parts: str | int) -> float:
    """A number in [0, 1) that is always the same for the same `parts`."""
    return int.from_bytes(blake2b("\x1f".join(map(str, parts)).encode(), key=key, digest_size=8).digest()) / 2**64


def sign(key: bytes, purpose: str, payload: bytes) -> str:
    """A URL-safe token of `payload` that only this workspace can make, good for one `purpose`."""
    tag = blake2b(purpose.encode() + b"\x00" + payload, key=key, digest_size=_TAG_BYTES).digest()
    return base64.urlsafe_b64encode(tag + payload).rstrip(b"=").decode()


def verify(key: bytes, purpose: str, token: str) -> bytes:
    """The payload of a token made by `sign` for the same purpose; InvalidInput for any other text."""
    tag, payload = _parts(token)
    wanted = blake2b(purpose.encode() + b"\x00" + payload, key=key, digest_size=_TAG_BYTES).digest()
    if not hmac.compare_digest(tag, wanted):
        raise InvalidInput("this token was not made here", "token")
    return payload


def payload_of(token: str) -> bytes:
    """The payload of a text that may be a token, its tag not checked; InvalidInput for one that cannot be."""
    return _parts(token)[1]


def _parts(token: str) -> tuple[bytes, bytes]:
    """The tag and the payload of a token."""
    try:
        if len(token) > TOKEN_MAX_CHARS:
            raise ValueError
        raw = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except (ValueError, binascii.Error):
        raise InvalidInput("this token was not made here", "token") from None
    return raw[:_TAG_BYTES], raw[_TAG_BYTES:]
