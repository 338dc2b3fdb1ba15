"""Where everybody stands in a journey is known without a look at anybody, and is right after every commit and crash."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support.told import Told
from support.world import YES_TO_MAIL, action, document

from actors.maintenance import verify
from actors.shard.shard import Shard
from actors.shard.standing import index
from actors.storage.batch import Batch
from actors.storage.memory_store import MemoryStore
from actors.storage.vault import PlainVault
from engine.catalog.editing.plan import Place
from engine.inputs import Erase

STEPS = [
    {"id": "pause", "wait": {"for": "1h", "reset_on": ["Cart Viewed"]}},
    {"send": {"action": "first", "channel": "email"}},
    {"id": "ask", "wait_for": {"event": "Clicked", "timeout": "2h"}},
    {"id": "last", "wait": {"for": "5h"}},
]


def shop(steps: list[dict[str, Any]] = STEPS, **changes: Any) -> dict[str, Any]:
    way = {"id": "way", "tier": "promotional", "trigger": {"event": "Product Added"}, "key": "cart_id"}
    return document(actions=[action("first")], journeys=[way | {"steps": steps} | changes])


def standing(shard: Shard, most: int = 2) -> Counter[tuple[tuple[str, int], ...]]:
    """How many customers stand where, by the step and the edition of each of their runs; read in slices of two rows."""
    shard.commit()
    found: Counter[tuple[tuple[str, int], ...]] = Counter()
    after = b""
    while True:
        some, after = shard.standing.counted("way", after, most)
        for places, count in some.items():
            read = [index.read(place) for place in places]
            found[tuple(sorted((_step(shard, place), place.edition) for place in read))] += count
        if not after:
            return found


def _step(shard: Shard, place: Place) -> str:
    return shard.catalog.of_version(place.version).journeys["way"].steps[place.positions[0]].id


def test_a_customer_counts_once_however_many_runs_they_have():
    world = Told(shop())
    shard = world.engine.windows[0].shard
    people = [world.customer(f"p{number}@example.com", consents=YES_TO_MAIL) for number in range(5)]
    for who in people:
        who.does("Product Added", cart_id="c1")
    world.advance(minutes=61)
    people[0].does("Product Added", cart_id="c2")
    assert standing(shard) == {(("ask", 0),): 4, (("ask", 0), ("pause", 0)): 1}
    people[1].does("Clicked")
    assert standing(shard)[(("last", 0),)] == 1
    world.advance(days=1)
    assert standing(shard) == {}


def test_a_store_of_an_earlier_version_gets_its_index_beside_the_work():
    stores: list[Any] = [MemoryStore()]
    world = Told(shop(), stores=stores)
    for number in range(3):
        world.customer(f"p{number}").does("Product Added", cart_id="c1")
    shard = world.engine.windows[0].shard
    shard.commit()
    rows = dict(stores[0].scan("standing"))
    stores[0].write({("standing", key): None for key in rows} | {("meta", b"standing"): None})
    world.reopens(stores)
    shard = world.engine.windows[0].shard
    assert shard.is_busy
    while shard.is_busy:
        shard.standing.work()
    shard.commit()
    assert dict(stores[0].scan("standing")) == rows and len(rows) == 3


def test_an_erasure_leaves_nothing_of_where_somebody_stood():
    stores: list[Any] = [MemoryStore()]
    world = Told(shop(), stores=stores)
    ada = world.customer("ada")
    ada.does("Product Added", cart_id="c1")
    other = world.customer("", anonymous="a1")
    other.does("Product Added", cart_id="c2")
    world.customer("ada", anonymous="a1").does("Page Viewed")
    world.settle()
    shard = world.engine.windows[0].shard
    assert standing(shard) == {(("pause", 0), ("pause", 0)): 1}
    world.engine.ask_profile(ada.id, Erase())
    world.settle()
    shard.commit()
    assert not list(stores[0].scan("standing"))


WORDS = st.one_of(
    st.tuples(st.just("does"), st.sampled_from(["Product Added", "Cart Viewed", "Clicked", "Page Viewed"])),
    st.tuples(st.just("passes"), st.sampled_from([20, 70, 200])),
    st.tuples(st.just("edits"), st.sampled_from(["follow", "finish", "stop"])),
    st.tuples(st.just("says"), st.sampled_from(["paused", "live"])),
    st.tuples(st.just("restarts")),
)


@settings(max_examples=60, deadline=None)
@given(words=st.lists(WORDS, min_size=3, max_size=12))
def test_the_index_says_what_the_states_say_whatever_happens(words: list[tuple[Any, ...]]):
    stores: list[Any] = [MemoryStore()]
    world = Told(shop(), stores=stores)
    people = [world.customer(f"p{number}@example.com", consents=YES_TO_MAIL) for number in range(2)]
    for number, word in enumerate(words):
        match word:
            case ("does", name):
                people[number % 2].does(name, cart_id=f"c{number % 3}")
            case ("passes", minutes):
                world.advance(minutes=minutes)
            case ("edits", how):
                added = {"id": f"s{number}", "wait": {"for": f"{number + 1}m"}}
                world.takes(shop([*STEPS[: number % 4], added, *STEPS[number % 4 :]], on_edit=how))
            case ("says", status):
                world.says("way", status)
            case ("restarts",):
                world.engine.windows[0].shard.commit()
                world.reopens(stores)
        world.engine.windows[0].shard.commit()
        assert verify.check({"shard": Batch(stores[0], PlainVault())})[0] == []
    active = [run for who in people for run in who.profile.runs if run.state == "active"]
    assert len(list(stores[0].scan("standing", index.hash_of("way")))) == len(active)
