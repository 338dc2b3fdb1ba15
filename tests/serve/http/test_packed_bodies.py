"""Packed bodies: read whole whatever they are made of, bounded whatever they hold, and refused by name."""

from __future__ import annotations

import gzip
import itertools
import json
import zlib
from codecs import BOM_UTF8
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.doors import door, tell

from engine.errors import InvalidInput, TooLarge
from serve.http.unpacking import MEMBERS_MAX, unpacked

MAX = 4 << 20
TEXT = json.dumps({"batch": [{"n": n} for n in range(3_000)]}).encode()


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@given(st.binary(max_size=2_000), st.lists(st.integers(0, 2_000), max_size=6))
def test_a_body_of_several_members_is_read_whole(data: bytes, cuts: list[int]):
    at = [0, *sorted(cut for cut in cuts if cut <= len(data)), len(data)]
    packed = b"".join(gzip.compress(data[start:end]) for start, end in itertools.pairwise(at))
    assert unpacked(packed, b"gzip", MAX) == data
    assert unpacked(packed + bytes(7), b"gzip", MAX) == data, "a stream may be padded"


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        (b"gzip", gzip.compress(TEXT)),
        (b"GZIP", gzip.compress(TEXT)),
        (b" x-gzip ", gzip.compress(TEXT)),
        (b"deflate", zlib.compress(TEXT)),
        (b"Deflate", raw_deflate(TEXT)),
        (b"identity", TEXT),
        (b"", TEXT),
        (b"utf-8", TEXT),
        (b"gzip, identity", gzip.compress(TEXT)),
        (b"identity,gzip", gzip.compress(TEXT)),
        (b"deflate, gzip", gzip.compress(zlib.compress(TEXT))),
        (b"gzip, gzip", gzip.compress(gzip.compress(TEXT))),
    ],
)
def test_what_clients_call_their_packing_is_understood(encoding: bytes, packed: bytes):
    assert unpacked(packed, encoding, MAX) == TEXT


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"identity"])
def test_nothing_packed_is_nothing(encoding: bytes):
    assert unpacked(b"", encoding, MAX) == b""
    assert unpacked(gzip.compress(b""), b"gzip", MAX) == b""


@pytest.mark.parametrize(
    ("encoding", "packed", "field", "message"),
    [
        (b"br", TEXT, "Content-Encoding", "is br,"),
        (b"gzip, zstd", TEXT, "Content-Encoding", "is zstd,"),
        (b"\xff", TEXT, "Content-Encoding", "of which nothing is known"),
        (b"gzip, gzip, gzip", TEXT, "Content-Encoding", "names 3 encodings"),
        (b"gzip", TEXT, "body", "is not gzip, as Content-Encoding says"),
        (b"gzip", gzip.compress(TEXT)[:-9], "body", "ends too early"),
        (b"gzip", gzip.compress(TEXT) + b"garbage", "body", "has 7 bytes behind its gzip data"),
        (b"gzip", gzip.compress(TEXT) + b"\0\0x", "body", "has 3 bytes behind"),
        (b"gzip", gzip.compress(TEXT) + b"\x1f\x8bgarbage", "body", "is not gzip from its member 2 on"),
        (b"gzip", gzip.compress(TEXT) + gzip.compress(TEXT)[:-3], "body", "ends too early"),
        (b"deflate", zlib.compress(TEXT) + b"!", "body", "has 1 bytes behind its deflate data"),
        (b"deflate", b"\xff\xff", "body", "is not deflate"),
        (b"gzip", gzip.compress(b"") * (MEMBERS_MAX + 1), "body", "more than 10000 gzip members"),
    ],
    ids=range(13),
)
def test_what_cannot_be_unpacked_says_why(encoding: bytes, packed: bytes, field: str, message: str):
    with pytest.raises(InvalidInput, match=message) as caught:
        unpacked(packed, encoding, MAX)
    assert caught.value.field == field


def test_the_bound_is_over_all_members_and_all_encodings():
    half = gzip.compress(bytes(MAX // 2))
    assert len(unpacked(half * 2, b"gzip", MAX)) == MAX
    for packed, encoding in ((half * 2 + gzip.compress(b"x"), b"gzip"), (gzip.compress(half * 3), b"gzip, gzip")):
        with pytest.raises(TooLarge):
            unpacked(packed, encoding, MAX)


def test_two_members_on_the_wire_are_one_batch(tmp_path: Path):
    batch = [{"type": "track", "userId": "ada", "event": "Seen", "messageId": f"m{n}"} for n in range(4)]
    body = json.dumps({"batch": batch}).encode()

    async def story():
        async with door(tmp_path) as client:
            packed = gzip.compress(body[:90]) + gzip.compress(body[90:])
            sent = await client.post("/v1/batch", content=packed, headers={"content-encoding": "gzip"})
            assert (sent.status_code, sent.json()) == (200, {"success": True})
            timeline = (await client.get("/v1/profiles/user_id:ada/timeline")).json()["entries"]
            assert [entry["messageId"] for entry in timeline if entry["kind"] == "event"] == ["m0", "m1", "m2", "m3"]
            refused = await client.post("/v1/batch", content=packed + b"{}", headers={"content-encoding": "gzip"})
            assert (refused.status_code, refused.json()["field"]) == (400, "body")
            unknown = await client.post("/v1/batch", content=body, headers={"content-encoding": "br"})
            assert (unknown.status_code, unknown.json()["field"]) == (400, "Content-Encoding")
            empty = await client.get("/v1/profiles/user_id:ada", headers={"content-encoding": "gzip"})
            assert empty.status_code == 200

    tell(story())


def test_a_byte_order_mark_before_a_body_is_no_part_of_it(tmp_path: Path):
    event = json.dumps({"userId": "ada", "event": "Seen"}).encode()
    asked = json.dumps({"identifiers": {"user_id": "ada"}, "placement": "home_hero"}).encode()

    async def story():
        async with door(tmp_path) as client:
            for body, headers in (
                (BOM_UTF8 + event, {}),
                (gzip.compress(BOM_UTF8 + event), {"content-encoding": "gzip"}),
            ):
                assert (await client.post("/v1/track", content=body, headers=headers)).status_code == 200
            batch = b'{"batch": [{"type": "track", ' + event[1:] + b"]}"
            assert (await client.post("/v1/batch", content=BOM_UTF8 + batch)).status_code == 200
            wanted = await client.post("/v1/decide", content=asked)
            marked = await client.post("/v1/decide", content=BOM_UTF8 + asked)
            assert marked.status_code == wanted.status_code

    tell(story())
