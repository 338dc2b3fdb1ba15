"""From Segment's wire format to events: what is taken, what is rejected and why, and when it happened."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidInput, TooLarge
from engine.inputs import AnyInput, Event
from serve.http.body_key import write_key_of
from serve.ingest.segment_format import BATCH_EVENTS_MAX, parse_body
from serve.ingest.wire_event import EVENT_BYTES_MAX

NOON_MS = 1_772_366_400_000  # 2026-03-01T12:00:00Z
MINUTE_MS = 60_000


def parse(body, kind=None, **options):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_body(raw, kind, source="web", channel="web", received_at_ms=NOON_MS, **options)


def taken(parsed) -> list[int]:
    return [item.index for item in parsed.items if item.event is not None]


def single(kind="track", **fields) -> Event:
    options = {"imported": fields.pop("imported", False)}
    base = {"event": "Product Added", "userId": "ada"} if kind == "track" else {"userId": "ada"}
    (event,) = parse(base | fields, kind, **options).events
    return event


def refused(body, kind="track", **options) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        parse(body, kind, **options)
    return caught.value


TRACK = {"type": "track", "event": "Product Added", "userId": "ada"}


def test_a_track_becomes_an_event_that_holds_what_was_sent():
    event = single(
        anonymousId=77,
        messageId="m1",
        properties={"value": 12.5, "größe": "42⅔", "deep": {"list": [1, None, {"a": -(2**63)}]}, "nul": "a\x00b"},
        context={"channel": "app", "device": {"id": "d1"}, "traits": {"email": " ADA@example.com "}},
        unheardOf={"is": "let pass"},
    )
    assert (event.kind, event.name, event.source, event.channel) == ("track", "Product Added", "web", "app")
    assert (event.user_id, event.anonymous_id, event.message_id, event.digest) == ("ada", "77", "m1", "")
    assert event.properties == {
        "value": 12.5,
        "größe": "42⅔",
        "deep": {"list": [1, None, {"a": -(2**63)}]},
        "nul": "a\x00b",
    }
    assert event.identifiers == (("email", "ada@example.com"), ("device_id", "d1"))
    assert event.traits == {}
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=AnyInput) == event


BAD_ITEMS = [
    ({"type": "track", "event": "x"}, "userId"),
    ({"type": "track", "userId": "ada"}, "event"),
    ({"type": "purchase", "userId": "ada"}, "type"),
    ({"event": "x", "userId": "ada"}, "type"),
    (TRACK | {"messageId": "m" * 101}, "messageId"),
    (TRACK | {"timestamp": "yesterday"}, "timestamp"),
    (TRACK | {"properties": [1]}, "properties"),
    (None, ""),
    (TRACK | {"properties": {"text": "x" * EVENT_BYTES_MAX}}, ""),
    ({"type": "alias", "userId": "ada"}, "previousId"),
    ({"type": "alias", "userId": "ada", "previousId": " ada "}, "previousId"),
    ({"type": "alias", "anonymousId": "a1", "previousId": "a1"}, "previousId"),
    (TRACK | {"userId": "a\nb"}, "userId"),
    (TRACK | {"userId": True}, "userId"),
    (TRACK | {"properties": {"n": 2**64}}, "properties"),
    (TRACK | {"event": "a\x00b"}, "event"),
]


def test_the_good_part_of_a_batch_is_kept_and_the_rest_is_named():
    batch = [TRACK, *(item for item, _ in BAD_ITEMS), {"type": "page", "anonymousId": "a1"}]
    parsed = parse({"batch": batch})
    last = len(batch) - 1
    assert (taken(parsed), [event.name for event in parsed.events]) == ([0, last], ["Product Added", "Page Viewed"])
    expected = [(index, field) for index, (_, field) in enumerate(BAD_ITEMS, start=1)]
    assert [(fault.index, fault.field) for fault in parsed.rejected] == expected
    assert all(fault.message for fault in parsed.rejected)


def test_a_batch_of_which_every_item_is_bad_is_no_error():
    assert [fault.index for fault in parse({"batch": [1, {}, []]}).rejected] == [0, 1, 2]
    assert parse({"batch": []}).events == []


def test_nulls_are_as_absent():
    event = single(
        **dict.fromkeys(["anonymousId", "messageId", "timestamp", "context", "properties", "traits", "sentAt"])
    )
    assert (event.anonymous_id, event.message_id, event.at_ms, event.context) == ("", "", NOON_MS, {})
    assert refused({"userId": None, "anonymousId": "", "event": "x"}).field == "userId"


@pytest.mark.parametrize(
    ("times", "expected_ms"),
    [
        ({}, NOON_MS),
        ({"timestamp": "2026-03-01T11:00:00Z"}, NOON_MS - 60 * MINUTE_MS),
        ({"timestamp": "2026-03-01T11:00:00.1239Z"}, NOON_MS - 60 * MINUTE_MS + 123),
        ({"timestamp": "2026-03-01T12:00:00+01:00"}, NOON_MS - 60 * MINUTE_MS),
        ({"timestamp": "2026-03-01T11:00:00"}, NOON_MS - 60 * MINUTE_MS),
        ({"timestamp": NOON_MS - 7}, NOON_MS - 7),
        # The sender's clock is an hour behind; the event was a minute old when it was sent.
        ({"timestamp": "2026-03-01T10:59:00Z", "sentAt": "2026-03-01T11:00:00Z"}, NOON_MS - MINUTE_MS),
        ({"originalTimestamp": NOON_MS - 9, "timestamp": NOON_MS - 3}, NOON_MS - 9),
        ({"timestamp": "2026-03-01T13:00:00Z"}, NOON_MS + 60 * MINUTE_MS),
        ({"sentAt": "2026-03-01T11:00:00Z"}, NOON_MS),
        ({"timestamp": 5, "sentAt": 253402300799999}, 5_000),
    ],
)
def test_the_time_of_an_event(times, expected_ms):
    assert single(**times).at_ms == expected_ms
    assert parse({"batch": [TRACK | times]}).events[0].at_ms == expected_ms


def test_the_batch_says_when_it_was_sent_unless_the_event_does():
    item = TRACK | {"timestamp": "2026-03-01T10:59:00Z"}
    batch = {"batch": [item, item | {"sentAt": "2026-03-01T10:59:00Z"}], "sentAt": "2026-03-01T11:00:00Z"}
    assert [event.at_ms for event in parse(batch).events] == [NOON_MS - MINUTE_MS, NOON_MS]


def test_an_imported_event_keeps_its_time_and_may_be_large():
    times = {"timestamp": "2026-04-01T00:00:00Z", "originalTimestamp": "2020-01-01T00:00:00Z", "sentAt": "2021-01-01"}
    event = single(imported=True, properties={"text": "x" * EVENT_BYTES_MAX}, **times)
    assert event.at_ms == NOON_MS + (30 * 24 + 12) * 60 * MINUTE_MS
    assert "bytes" in refused(TRACK | {"properties": {"text": "x" * 1_048_576}}, imported=True).message


@pytest.mark.parametrize("time", ["yesterday", "2026-02-30", "1969-12-31T23:59:59Z", -1, 10**18, 1.5, True, {"a": 1}])
@pytest.mark.parametrize("field", ["timestamp", "originalTimestamp", "sentAt"])
def test_a_time_that_is_none_is_named(field, time):
    assert refused(TRACK | {field: time}).field == field


def test_an_identify_takes_its_traits_from_both_places_and_its_own_win():
    event = single(
        "identify", traits={"name": "Ada", "phone": "+49 151 12345678"}, context={"traits": {"name": "A", "x": 1}}
    )
    assert (event.name, event.traits) == ("Identified", {"name": "Ada", "phone": "+49 151 12345678", "x": 1})
    assert event.identifiers == (("phone", "+4915112345678"),)


def test_a_value_that_identifies_nobody_is_no_reason_to_lose_the_event():
    event = single("identify", traits={"email": "none", "phone": "0151", "loyalty_id": 12}, context={"device": "x"})
    assert event.identifiers == (("loyalty_id", "12"),)
    assert event.traits["email"] == "none"


def test_the_other_kinds():
    page = single("page", name="Home", category="shop", properties={"name": "old", "url": "/"})
    assert (page.name, page.properties) == ("Page Viewed", {"name": "Home", "category": "shop", "url": "/"})
    assert single("screen", name="Cart").name == "Screen Viewed"
    group = single("group", groupId="acme", traits={"plan": "gold", "email": "office@acme.example"})
    assert (group.name, group.properties["groupId"], group.properties["plan"]) == ("Grouped", "acme", "gold")
    assert (group.traits, group.identifiers) == ({}, ())
    assert single("alias", previousId="a1").previous_id == "a1"


def test_the_batch_context_stands_in_where_the_event_has_none():
    batch = {"batch": [TRACK, TRACK | {"context": {"channel": "app"}}], "context": {"channel": "pos", "locale": "de"}}
    assert [(e.channel, e.context["locale"]) for e in parse(batch).events] == [("pos", "de"), ("app", "de")]


def test_without_a_message_id_the_digest_names_what_was_sent():
    sent = {"event": "x", "userId": "ada", "timestamp": "2026-03-01T11:00:00Z", "properties": {"a": 1, "b": 2}}
    digest = parse(sent, "track").events[0].digest
    again = {"sentAt": "2026-03-01T11:30:00Z", "writeKey": "wk", "properties": {"b": 2, "a": 1}, "messageId": None}
    assert len(digest) == 32
    assert parse(sent | again, "track").events[0].digest == digest
    assert parse({"batch": [sent | {"type": "track"}]}).events[0].digest == digest
    assert parse(sent | {"properties": {"a": 1, "b": 3}}, "track").events[0].digest != digest
    assert parse(sent, "page").events[0].digest != digest


def test_with_neither_message_id_nor_timestamp_an_event_is_never_a_repeat():
    event = single()
    assert (event.message_id, event.digest) == ("", "")


@pytest.mark.parametrize("kind", [None, "track"])
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"nonsense",
        b"[]",
        b"7",
        b"null",
        b'{"batch": {"a": {}}, "properties": 1}',
        b'{"batch": [{"type": "track", "userId": NaN}], "userId": NaN}',
        b'{"batch": [], "a": "\x00", "userId": "u"}',
        # Deeper than the decoder follows on any Python; 3.13 follows 9,000 levels, and then the item alone is refused.
        b'{"batch": ['
        + b"[" * 20_000
        + b"]" * 20_000
        + b'], "properties": {"a": '
        + b"[" * 20_000
        + b"]" * 20_000
        + b"}}",
        b"\xff\xfe",
        b'{"batch": [], "userId": "ada", "event": "x"',
        b'{"batch": [], "userId": "\\ud83d", "event": "x"} x',
    ],
)
def test_a_body_that_cannot_be_read_is_refused_in_one_line(kind, raw):
    fault = refused(raw, kind)
    assert fault.message and "\n" not in str(fault)


def test_half_an_emoji_costs_one_event_and_not_the_batch():
    raw = json.dumps({"batch": [TRACK, TRACK | {"event": "Sm\ud83d"}, TRACK], "sentAt": NOON_MS}).encode()
    parsed = parse(raw)
    assert taken(parsed) == [0, 2]
    assert "surrogate" in parsed.rejected[0].message


def nested(levels):
    return json.loads("[" * levels + "]" * levels)


@pytest.mark.parametrize(("levels", "taken"), [(63, True), (64, False), (800, False)])
def test_nesting_has_a_bound(levels, taken):
    parsed = parse({"batch": [TRACK | {"properties": {"a": nested(levels)}}]})
    assert len(parsed.events) == taken
    assert taken or "nested" in parsed.rejected[0].message


@pytest.mark.parametrize("where", ["properties", "traits", "context"])
@pytest.mark.parametrize("number", ["1" * 400, "1" * 5000, str(2**64), str(-(2**63) - 1), "1e400"])
def test_a_number_that_nothing_can_hold_rejects_its_event(where, number):
    raw = f'{{"batch": [{{"type": "track", "event": "x", "userId": "a", "{where}": {{"n": {number}}}}}]}}'.encode()
    (fault,) = parse(raw).rejected
    assert fault.field.startswith(where)


def test_a_flood_of_tiny_items_is_bounded():
    with pytest.raises(TooLarge):
        parse(b'{"batch": [' + b"0," * BATCH_EVENTS_MAX + b"0]}")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_no_json_crashes_the_door(value):
    fields = ["userId", "messageId", "timestamp", "properties", "context", "traits"]
    body = json.dumps({"batch": [value, *(TRACK | {name: value} for name in fields)]}).encode()
    try:
        parsed = parse(body)
    except InvalidInput:
        return
    assert len(parsed.events) + len(parsed.rejected) == 7
    msgspec.msgpack.encode(parsed.events)


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        (b'{"writeKey": "wk_1", "batch": []}', "wk_1"),
        (b'{"batch": []}', None),
        (b'{"writeKey": 1}', None),
        (b"[", None),
    ],
)
def test_the_write_key_in_a_body(raw, key):
    assert write_key_of(raw) == key


# -- what clients write without meaning it

ABSENT = [None, "", "  ", [], {}, "null", "undefined", "\u200b"]
NO_TIMES = ["soon", 1.5, "0001-01-01T00:00:00Z", {"a": 1}, [1], True, -7, 10**30]
OLD = TRACK | {"timestamp": "2026-03-01T11:00:00Z"}


@pytest.mark.parametrize("sent_at", [*ABSENT, *NO_TIMES], ids=repr)
@pytest.mark.parametrize("context", [[], None, "text", 7, ["a"], {}], ids=repr)
def test_a_bad_field_of_a_batch_costs_itself_and_no_event(sent_at, context):
    parsed = parse({"batch": [OLD, TRACK | {"event": 7}], "sentAt": sent_at, "context": context, "integrations": []})
    (event,) = parsed.events
    assert (event.at_ms, event.context, parsed.sent_at) == (NOON_MS - 60 * MINUTE_MS, {}, "")
    assert [fault.index for fault in parsed.rejected] == [1]


@pytest.mark.parametrize("broken", [b'"\\ud83d"', b'{"a":"\\ud83d"}', b"1e999", b"18446744073709551616"])
def test_a_field_of_a_batch_that_cannot_be_read_costs_itself(broken: bytes):
    item = json.dumps(OLD).encode()
    for field in (b"sentAt", b"context"):
        parsed = parse(b'{"batch":[' + item + b'],"' + field + b'":' + broken + b"}")
        assert [event.at_ms for event in parsed.events] == [NOON_MS - 60 * MINUTE_MS]
    assert (
        parse(b'{"batch":[' + item + b'],"context":' + b'{"a":' * 90 + b"1" + b"}" * 90 + b"}").events[0].context == {}
    )


def test_a_list_that_php_wrote_as_an_object_is_a_list():
    parsed = parse({"batch": {"0": TRACK, "2": TRACK | {"event": "Second"}}})
    assert [event.name for event in parsed.events] == ["Product Added", "Second"]
    assert refused({"batch": {"first": TRACK}}, None).field == "batch"


@pytest.mark.parametrize("sent_at", [NOON_MS // 1000, str(NOON_MS // 1000), NOON_MS / 1000, NOON_MS])
def test_a_batch_that_says_in_seconds_when_it_was_sent_shifts_nothing(sent_at):
    item = TRACK | {"timestamp": NOON_MS // 1000 - 60}
    assert [event.at_ms for event in parse({"batch": [item], "sentAt": sent_at}).events] == [NOON_MS - MINUTE_MS]


@pytest.mark.parametrize("sent_at", ["9999-12-31T00:00:00Z", NOON_MS + 25 * 60 * MINUTE_MS])
def test_nothing_was_sent_long_after_it_was_received(sent_at):
    old = TRACK | {"timestamp": NOON_MS - 60 * MINUTE_MS}
    assert [event.at_ms for event in parse({"batch": [old], "sentAt": sent_at}).events] == [NOON_MS - 60 * MINUTE_MS]
    (event,) = parse({"batch": [old | {"sentAt": sent_at}]}).events
    assert event.at_ms == NOON_MS - 60 * MINUTE_MS


def test_a_clock_that_runs_days_ahead_is_corrected():
    ahead = 30 * 24 * 60 * MINUTE_MS
    item = TRACK | {"timestamp": NOON_MS + ahead - MINUTE_MS}
    assert [event.at_ms for event in parse({"batch": [item], "sentAt": NOON_MS + ahead}).events] == [
        NOON_MS - MINUTE_MS
    ]


@pytest.mark.parametrize("sent_at", [0, "1970-01-01T00:00:00Z", "2001-01-01T00:00:00Z"])
def test_nothing_was_sent_long_before_it_happened(sent_at):
    item = TRACK | {"timestamp": "2026-03-01T11:00:00Z"}
    assert [event.at_ms for event in parse({"batch": [item], "sentAt": sent_at}).events] == [NOON_MS - 60 * MINUTE_MS]


@pytest.mark.parametrize("empty", [[], {}, None, ""], ids=repr)
def test_what_php_writes_for_an_empty_object_is_one(empty):
    told = dict.fromkeys(("properties", "traits", "context"), empty)
    for kind in ("track", "identify", "page", "group"):
        event = single(kind, **told)
        assert (event.properties, event.traits, event.context) == ({}, {}, {})
    nested = single("identify", context={"traits": empty, "device": empty, "page": empty})
    assert (nested.traits, nested.identifiers) == ({}, ())


@pytest.mark.parametrize("field", ["properties", "traits", "context"])
@pytest.mark.parametrize("value", ["text", 7, True, [1]], ids=repr)
def test_what_is_no_object_is_refused_by_name(field, value):
    assert refused(TRACK | {field: value}).field == field


@pytest.mark.parametrize("absent", ABSENT, ids=repr)
def test_who_is_not_named_is_not_named_in_any_call(absent):
    assert single(userId=absent, anonymousId="a-1").user_id == ""
    assert single(anonymousId=absent).anonymous_id == ""
    both = refused({"event": "x", "userId": absent, "anonymousId": absent})
    assert (both.field, both.message) == (
        "userId",
        "names nobody: it needs a userId, anonymousId, entry in context.externalIds or other identifier",
    )
    assert refused({"userId": "ada", "previousId": absent}, "alias").field == "previousId"
    assert single("group", groupId=absent).properties == {}
    assert refused(TRACK | {"event": absent if absent is None or isinstance(absent, str) else ""}).field == "event"
    assert single(messageId=absent, timestamp="2026-03-01").digest == single(timestamp="2026-03-01").digest != ""
    named = single("identify", traits={"email": absent, "loyalty_id": absent}, properties={"loyalty_id": "L7"})
    assert named.identifiers == (("loyalty_id", "L7"),)


@pytest.mark.parametrize("value", [True, 1.5, 7.0, {"id": 1}, [1]], ids=repr)
@pytest.mark.parametrize("field", ["userId", "anonymousId", "previousId", "groupId", "messageId"])
def test_what_can_be_no_id_is_refused_by_name(field, value):
    kind = {"previousId": "alias", "groupId": "group"}.get(field, "track")
    fault = refused({"userId": "ada", "anonymousId": "a", "event": "x"} | {field: value}, kind)
    assert (fault.field, fault.message) == (field, "must be a text or a whole number")


def test_a_number_names_whom_its_digits_name():
    assert single(userId=123).user_id == single(userId="123").user_id == single(userId=" 123\ufeff").user_id == "123"


def test_a_name_that_is_the_engines_own_is_refused():
    (item,) = parse({"batch": [TRACK | {"event": "segue:segment"}]}).rejected
    assert (item.field, item.message) == ("event", "names that begin with segue: are the engine's own")
