"""Whatever is said of a campaign, in any order: nothing of it leaves unless it is live, and readings are true."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support.told import Told
from support.world import YES_TO_MAIL, action, document

from actors.maintenance import verify, verify_replay
from actors.storage.batch import Batch
from actors.storage.memory_store import MemoryStore
from actors.storage.vault import PlainVault

STATUSES = ("live", "draft", "paused", "stopped", "removed")
STEPS = [
    {"wait": {"for": "1h", "reset_on": ["Cart Viewed"]}},
    {"send": {"action": "first", "channel": "email"}},
    {"wait_for": {"event": "Clicked", "timeout": "2h"}},
    {"send": {"action": "second", "channel": "email", "on_held": "wait"}},
]


def shop(journey: str, first: str) -> dict[str, Any]:
    """A journey of two letters, the first of them and itself with a status."""
    way = {"id": "way", "tier": "promotional", "trigger": {"event": "Product Added"}, "key": "cart_id", "steps": STEPS}
    letters = {"first": action("first", category="shoes"), "second": action("second")}
    if first != "removed":
        letters["first"]["status"] = first
    files = document(actions=letters.values(), journeys=[way | {"status": journey}] if journey != "removed" else [])
    if first == "removed":  # a journey that stands may not name what is not there
        del files["actions/first.yaml"]
        if journey != "removed":
            files["journeys/way.yaml"] = way | {"status": journey, "steps": STEPS[2:]}
    return files


WORDS = st.one_of(
    st.tuples(st.just("files"), st.sampled_from(STATUSES), st.sampled_from(STATUSES)),
    st.tuples(st.just("says"), st.sampled_from(["paused", "stopped", "live"])),
    st.tuples(st.just("passes"), st.sampled_from([1, 20, 70, 200, 3_000])),
    st.tuples(st.just("does"), st.sampled_from(["Product Added", "Cart Viewed", "Clicked", "Page Viewed"])),
    st.tuples(st.just("provider"), st.sampled_from(["sent", "retry", "refused"])),
    st.tuples(st.just("restarts")),
)


@settings(max_examples=150, deadline=None)
@given(words=st.lists(WORDS, min_size=3, max_size=14))
def test_nothing_leaves_that_is_not_live_and_what_is_read_is_what_the_next_turn_finds(words: list[tuple[Any, ...]]):
    stores: list[Any] = [MemoryStore()]
    world = Told(shop("live", "live"), stores=stores)
    ada = world.customer("ada@example.com", consents=YES_TO_MAIL)
    ada.does("Product Added", cart_id="c0")
    for number, word in enumerate(words):
        before = len(world.mailbox)
        _happens(world, ada, stores, number, word)
        journey = world.catalog.journeys.get("way")
        first = world.catalog.actions.get("first")
        left = [message["content"]["subject"] for message in world.mailbox[before:]]
        if journey is None or journey.status != "live":
            assert left == []
        if first is None or first.status != "live":
            assert "first" not in left
        _reading_is_true(ada)
    shard = world.engine.shard(ada.id)
    shard.commit()
    assert list(verify_replay.differences(shard.batch, ada.id, ada.profile, shard.catalogs)) == []
    assert verify.check({"shard": Batch(stores[0], PlainVault())})[0] == []


def _happens(world: Told, ada: Any, stores: list[Any], number: int, word: tuple[Any, ...]) -> None:
    match word:
        case ("files", journey, first):
            world.takes(shop(journey, first))
        case ("says", status):
            listed = world.catalog.journeys.get("way")
            file = world.plain.get("journeys/way.yaml", {}).get("status")
            if listed is not None and (status != "live" or file == "live"):
                world.says("way", status)
        case ("passes", minutes):
            world.advance(minutes=minutes)
        case ("does", name):
            ada.does(name, cart_id=f"c{number % 2}")
        case ("provider", says):
            world.provider_says = says
        case ("restarts",):
            world.engine.windows[0].shard.commit()
            world.reopens(stores)


def _reading_is_true(ada: Any) -> None:
    """What is read before a turn that does nothing of its own is what stands after it."""

    def runs() -> list[tuple[str, str]]:
        return [(run["state"], run["endedBy"] or "") for run in ada.shown["journeys"]]

    told = ada.shown
    read = runs(), [send["send"] for send in told["pendingSends"]], [row["at"] for row in told["timers"]]
    ada.decides()
    told = ada.shown
    assert read == (runs(), [send["send"] for send in told["pendingSends"]], [row["at"] for row in told["timers"]])
    stored = [(run.state, run.ended_by) for run in ada.profile.runs]
    assert runs() == stored, "nothing is left to be worked out"
