"""Who is in memory: what is used stays, what is idle or too much leaves, what is busy never does."""

from __future__ import annotations

import gc
import tracemalloc

import pytest
from support.world import CART, START_MS, compiled

from actors.shard.activation import Activation, bytes_in_memory
from engine import codec
from engine.inputs import Event
from engine.profile import Profile
from engine.turn import handle


def filled(*names: str, bytes_max: int = 1_000) -> Activation:
    cache = Activation(bytes_max)
    for name in names:
        cache.put(name, Profile(name), 100)
    return cache


def there(cache: Activation) -> set[str]:
    return set(cache._sizes)


def test_what_nothing_reached_between_two_sweeps_leaves():
    cache = filled("ada", "bob", "eve")
    assert cache.sweep(busy=()) and there(cache) == {"ada", "bob", "eve"}
    cache.get("bob")
    assert cache.sweep(busy=()) and there(cache) == {"bob"}
    assert cache.sweep(busy=()) and there(cache) == set()
    assert (len(cache), cache.bytes) == (0, 0)


def test_a_sweep_stops_at_what_is_busy():
    cache = filled("ada", "bob")
    cache.sweep(busy=())
    assert cache.sweep(busy={"ada"}) and there(cache) == {"ada", "bob"}


def test_a_large_sweep_comes_in_parts():
    cache = filled(*map(str, range(2_500)), bytes_max=1_000_000)
    assert cache.sweep(busy=())
    assert [cache.sweep(busy=()) for _ in range(3)] == [False, False, True]
    assert len(cache) == 0


def test_over_its_bound_the_least_recently_used_leave_wherever_the_mark_is():
    cache = filled("ada", "bob", "eve", bytes_max=200)
    cache.sweep(busy=())
    cache.get("ada")
    cache.passivate(busy=())
    assert there(cache) == {"eve", "ada"}
    cache.resize("ada", 150)
    cache.passivate(busy={"eve"})
    assert there(cache) == {"eve", "ada"}
    cache.passivate(busy=())
    assert there(cache) == {"ada"}


@pytest.mark.parametrize("is_read", [False, True])
@pytest.mark.parametrize(("events", "properties"), [(1, 0), (10, 3), (20, 10), (100, 3)])
def test_the_estimate_is_near_what_a_profile_takes(events: int, properties: int, is_read: bool):
    made = [_encoded(number, events, properties) for number in range(100)]
    gc.collect()
    tracemalloc.start()
    cache = Activation(1 << 30)
    for number, encoded in enumerate(made):
        record = codec.decode_record(encoded)
        assert isinstance(record, Profile) and (not is_read or record.history.events)
        cache.put(f"{number:030}", record, bytes_in_memory(record, encoded))
    del record
    gc.collect()
    real, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.8 * real < cache.bytes < 1.5 * real, (cache.bytes, real)


def _encoded(number: int, events: int, properties: int) -> bytes:
    """Somebody who fills a cart now and then."""
    profile, catalog = Profile(f"p{number}"), compiled(CART)
    for event in range(events):
        told = Event(
            kind="track",
            name="Product Added" if event % 3 == 0 else "Product Viewed",
            at_ms=START_MS + event,
            received_at_ms=START_MS + event,
            message_id=f"m{number}-{event}",
            user_id=f"u{number}",
            properties={f"property_{each}": f"value {number} {event} {each}" for each in range(properties)},
        )
        handle(profile, told, catalog, START_MS + event)
    return codec.encode_record(profile)
