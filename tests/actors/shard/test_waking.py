"""What an operator says stands in the catalog's file, and whoever waits for it is waked: once, after crashes too."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.faulty_store import FaultyStore, Fuse
from support.told import Told
from support.world import ID_KEY, YES_TO_MAIL, Customer, action, cart_journey, compiled, document

from actors.catalog_files.active_catalog import ActiveCatalog
from actors.maintenance import verify
from actors.platform.clock import ReplayClock
from actors.shard import waking
from actors.shard.shard import Shard
from actors.storage.batch import Batch
from actors.storage.memory_store import MemoryStore
from actors.storage.vault import PlainVault
from engine.catalog import statuses
from engine.errors import NotFound, NotReady
from engine.profile import Profile


def shop(*names: str, **changes: Any) -> dict[str, Any]:
    """Cart journeys under these names."""
    journeys = [cart_journey(id=name, **changes) for name in names or ("way",)]
    return document(actions=[action("cart_reminder")], journeys=journeys)


def paused_and_due(stores: list[Any]) -> tuple[Told, Customer]:
    """Ada, whose timer has come up during a pause."""
    world = Told(shop(), stores=stores)
    ada = world.customer("ada@example.com", consents=YES_TO_MAIL)
    ada.does("Product Added", cart_id="c1")
    world.says("way", "paused")
    world.advance(hours=2)
    assert ada.sends == [] and ada.shown["journeys"][0]["waitsFor"] == "journey.paused"
    return world, ada


def fired(who: Customer) -> int:
    return [entry.outcome for entry in who.timeline if entry.kind == "timer"].count("fired")


@pytest.mark.parametrize("lost", ["the change", "nothing before the waking", "nothing"])
@pytest.mark.parametrize("word", ["live", "stopped"])
def test_whoever_waits_is_waked_once_though_the_engine_dies_on_the_way(lost: str, word: Any):
    stores: list[Any] = [FaultyStore()]
    world, ada = paused_and_due(stores)
    world.says("way", word)
    if lost != "the change":
        world.engine.windows[0].shard.commit()
    if lost == "nothing":
        world.settle()
    world.reopens([stores[0].survivor(Fuse(), kept=0)])
    world.settle()
    assert fired(ada) == (1 if word == "live" else 0)
    assert ada.sends == (["cart_reminder"] if word == "live" else [])
    assert ada.run("way").ended_by == ("end" if word == "live" else "journey.stopped")
    assert len(world.engine.shard(ada.id).timers) == 0


def test_an_engine_that_did_not_change_wakes_nobody():
    stores: list[Any] = [MemoryStore()]
    world, ada = paused_and_due(stores)
    before = world.engine.shard(ada.id).journal_seq
    world.reopens(stores)
    world.takes(shop(key=None))
    world.advance(days=1)
    assert world.engine.shard(ada.id).journal_seq == before


def test_a_directory_in_which_some_wait_and_some_are_about_to_be_waked_is_whole():
    stores: list[Any] = [MemoryStore()]
    world, ada = paused_and_due(stores)
    world.engine.windows[0].shard.commit()
    assert verify.check({"shard": Batch(stores[0], PlainVault())})[0] == []
    world.says("way", "live")
    world.engine.windows[0].shard.commit()
    assert verify.check({"shard": Batch(stores[0], PlainVault())})[0] == []
    world.settle()
    assert verify.check({"shard": Batch(stores[0], PlainVault())})[0] == [] and ada.sends == ["cart_reminder"]


def test_a_profile_that_moves_while_it_is_about_to_be_waked_is_waked_where_it_arrives():
    world, ada = paused_and_due([MemoryStore()])
    name, home, clock = ada.id, world.engine.shard(ada.id), ReplayClock(world.now_ms)
    resumed = compiled(statuses.said(world.plain, "way", "live"))
    world.says("way", "live")
    assert home.ownership.leave(name, "there")
    home.commit()
    there = Shard(1_000, MemoryStore(), resumed, clock, own=name)
    assert not there.ownership.begin(name, "move")
    for rows in home.ownership.chunks(name):
        there.ownership.take(name, "move", rows)
    live = there.ownership.arrive(name, "move", home.ownership.last(name))
    there.commit()
    live()
    while there.fire_timers(clock.now_ms()):
        pass
    there.commit()
    record = there.record(name)
    assert isinstance(record, Profile) and [send.state for send in record.sends] == ["decided"]
    while home.fire_timers(clock.now_ms()):
        pass
    assert len(home.timers) == len(there.timers) == 0


# -- the file


def active_catalog(folder: Path, plain: dict[str, Any]) -> ActiveCatalog:
    made = ActiveCatalog(folder / "catalog", ID_KEY)
    made.take(compiled(plain).document)
    return made


def test_what_was_said_stands_beside_whatever_files_come(tmp_path: Path):
    made = active_catalog(tmp_path, shop())
    assert made.read().version == compiled(shop()).version, "nothing was said, so it is the version of its files"
    made.say("way", "paused")
    for files in (shop(), shop(key=None), shop("way", "more")):
        assert made.take(compiled(files).document).journeys["way"].status == "paused"
    assert ActiveCatalog(tmp_path / "catalog", ID_KEY).read().journeys["way"].status == "paused"
    assert made.say("way", "live").version == compiled(shop("way", "more")).version
    with pytest.raises(NotFound, match="there is no journey weigh"):
        made.say("weigh", "paused")


def test_words_that_are_said_at_once_all_stand(tmp_path: Path):
    names = [f"way_{number}" for number in range(12)]
    active_catalog(tmp_path, shop(*names))

    def say(name: str) -> None:
        ActiveCatalog(tmp_path / "catalog", ID_KEY).say(name, "paused")

    threads = [threading.Thread(target=say, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    journeys = ActiveCatalog(tmp_path / "catalog", ID_KEY).read().journeys
    assert {name: journey.status for name, journey in journeys.items()} == dict.fromkeys(names, "paused")
    assert [path.name for path in tmp_path.iterdir()] == ["catalog"]


@pytest.mark.parametrize("damage", [b"", b"\xc1", msgspec.msgpack.encode(["no", "document"])])
def test_a_damaged_file_is_named_and_nothing_takes_its_place(tmp_path: Path, damage: bytes):
    made = active_catalog(tmp_path, shop())
    (tmp_path / "catalog").write_bytes(damage)
    with pytest.raises(NotReady, match="catalog: is damaged"):
        made.take(compiled(shop()).document)
    assert (tmp_path / "catalog").read_bytes() == damage


def test_a_change_that_has_a_fault_leaves_what_stands(tmp_path: Path):
    made = active_catalog(tmp_path, shop())
    made.say("way", "stopped")
    before = (tmp_path / "catalog").read_bytes()
    with pytest.raises(NotFound):
        made.say("nobody", "stopped")
    assert (tmp_path / "catalog").read_bytes() == before


def test_a_shard_knows_what_it_went_by_last():
    stores: list[Any] = [MemoryStore()]
    world, _ = paused_and_due(stores)
    assert waking.last_document(MemoryStore()) is None
    world.engine.windows[0].shard.commit()
    assert waking.last_document(stores[0]) == compiled(world.plain).document
    world.says("way", "stopped")
    world.engine.windows[0].shard.commit()
    assert waking.last_document(stores[0]) == compiled(world.plain).document
