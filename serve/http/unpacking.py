"""Unpacks a body: gzip of any number of members, deflate, or both, never to more than is allowed.

`Content-Encoding` names the encodings in the order in which they were applied. An encoding that the body does not have,
or that is not known here, is refused by its name.
"""

from __future__ import annotations

import zlib
from typing import Final

from engine.errors import InvalidInput, TooLarge

MEMBERS_MAX: Final = 10_000  # each costs time, however little it holds
ENCODINGS_MAX: Final = 2

_GZIP, _ZLIB, _RAW = 31, 15, -15  # zlib's `wbits` for each format
_AS_IT_IS: Final = frozenset(("", "identity", "utf-8", "utf8"))  # the last two are no encodings, and are sent
_PACKED: Final = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}
_PIECE_BYTES: Final = 16 << 10  # what is left of a piece is copied at the end of each member
_FIELD: Final = "Content-Encoding"


def unpacked(body: bytes, encoding: bytes, bytes_max: int) -> bytes:
    """`body` without what the header `Content-Encoding` says. Raises TooLarge over `bytes_max`, and InvalidInput for an
    encoding that is not known, a stream that ends too early, or bytes behind it."""
    names = [name.strip().lower() for name in encoding.decode("latin-1").split(",")]
    names = [name for name in names if name not in _AS_IT_IS]
    if len(names) > ENCODINGS_MAX:
        raise InvalidInput(f"names {len(names)} encodings, at most {ENCODINGS_MAX} are undone", _FIELD)
    for name in names:
        if name not in _PACKED:
            raise InvalidInput(f"is {name[:40]}, of which nothing is known here; gzip and deflate are", _FIELD)
    for name in reversed(names):
        if body:
            kind = _PACKED[name]
            body = _inflated(body, kind, _GZIP if kind == "gzip" else _deflate_of(body), bytes_max)
    return body


def too_large(bytes_max: int) -> TooLarge:
    """The refusal of a body, packed or unpacked."""
    return TooLarge(f"is over {bytes_max} bytes", "body")


def _deflate_of(body: bytes) -> int:
    """HTTP's deflate is zlib's format, and some clients send the bare stream."""
    # RFC 1950: the low half of the first byte is method 8, and the two bytes are a multiple of 31.
    is_zlib = len(body) >= 2 and body[0] & 15 == 8 and int.from_bytes(body[:2]) % 31 == 0
    return _ZLIB if is_zlib else _RAW


def _inflated(packed: bytes, name: str, kind: int, bytes_max: int) -> bytes:
    view, made, at, members = memoryview(packed), bytearray(), 0, 0
    while at < len(packed):
        if members and (name != "gzip" or bytes(view[at : at + 2]) != b"\x1f\x8b"):
            if name == "gzip" and not any(view[at:]):  # padding
                break
            raise InvalidInput(f"has {len(packed) - at} bytes behind its {name} data that are none", "body")
        members += 1
        if members > MEMBERS_MAX:
            raise InvalidInput(f"is made of more than {MEMBERS_MAX} gzip members", "body")
        try:
            at = _member(view, at, kind, made, bytes_max)
        except zlib.error:
            part = f"{name}, as {_FIELD} says" if members == 1 else f"{name} from its member {members} on"
            raise InvalidInput(f"is not {part}", "body") from None
        if at < 0:
            raise InvalidInput(f"the {name} stream ends too early", "body")
    return bytes(made)


def _member(view: memoryview, at: int, kind: int, made: bytearray, bytes_max: int) -> int:
    """Unpack one stream to the end of `made`. Where in `view` it ended; -1 where it did not."""
    unpacker = zlib.decompressobj(wbits=kind)
    while not unpacker.eof:
        piece = view[at : at + _PIECE_BYTES]
        if not piece:
            return -1
        at += len(piece)
        # One byte too many is enough to refuse: a small body may unpack to gigabytes.
        made += unpacker.decompress(piece, bytes_max + 1 - len(made))
        if len(made) > bytes_max:
            raise too_large(bytes_max)
    return at - len(unpacker.unused_data)
