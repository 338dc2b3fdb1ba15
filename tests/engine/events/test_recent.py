"""Recent events stay in order and say the same, however they came, whether they were read before or not."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from engine.recent_events import Happened, Recent, history_order

P1 = {"product": {"id": "p1"}}
AT = ("Viewed", "product.id")
EVENTS = st.builds(
    Happened,
    at_ms=st.integers(0, 5),
    seq=st.just(0),
    name=st.sampled_from(("Viewed", "Bought")),
    properties=st.sampled_from(({}, P1, {"product": {"id": "p2"}}, {"product": {"id": 3}})),
)
READS = st.sampled_from(("events", "named", "by_text", "newest", "nothing"))


@given(st.lists(st.tuples(EVENTS, READS, st.sets(st.integers(0, 30), max_size=3)), max_size=30))
def test_it_is_what_a_sorted_list_would_be(steps):
    recent, model = Recent(), []
    for seq, (event, what, dropped) in enumerate(steps):
        added = msgspec.structs.replace(event, seq=seq)
        recent.add(added)
        model.append(added)
        model.sort(key=history_order)
        if dropped:
            recent.drop(dropped)
            model = [event for place, event in enumerate(model) if place not in dropped]
        newest = model[::-1]
        if what == "events":
            assert recent.events == model
        elif what == "named":
            assert recent.named("Viewed") == [event for event in newest if event.name == "Viewed"]
        elif what == "by_text":
            texts = [event for event in newest if event.name == "Viewed" and event.properties == P1]
            assert recent.by_text(AT).get("p1", []) == [event.at_ms for event in texts]
        elif what == "newest":
            assert list(recent.newest()) == newest
        assert len(recent) == len(model)
    packed = msgspec.msgpack.decode(recent.packed, type=list[msgspec.Raw])
    again = Recent(packed=packed)
    assert again == recent == Recent(model) and again.packed_bytes == sum(map(len, packed))
    assert list(again.newest()) == model[::-1] and again.events == model
    assert msgspec.msgpack.decode(recent.packed, type=list[Happened]) == model
