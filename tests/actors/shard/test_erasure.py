"""Erased is erased (Invariant 10): no identifier and no trait of the person is left in any file, backups included."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.world import HOUR, YES_TO_MAIL, Customer, World, action, cart_journey, document

from actors.maintenance.verify_replay import differences
from actors.shard.set_aside import dead_letter_actions
from actors.storage.store import RocksStore
from actors.storage.vault import FileVault
from engine import codec
from engine.errors import Moved, NotFound, NotReady
from engine.inputs import Erase, Event, Rejected
from engine.profile import Profile
from engine.seeds import profile_id

MAIL, SECRET = "ada.lovelace@example.com", "Difference Engine No. 2"
FILES = document(actions=[action("cart_reminder"), action("offer", channels=["web"], placements=["home_hero"])],
                 journeys=[cart_journey()], policies={})  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two shards on disk with key files; a stranger lives there who must stay."""
    made = open_world(tmp_path)
    bob = made.customer("bob@example.com", consents=YES_TO_MAIL)
    bob.does("Product Added", cart_id="of bob")
    yield made
    for windows in made.engine.windows:
        windows.shard.close()


def open_world(folder: Path) -> World:
    key = b"k" * 32
    stores = [RocksStore(folder / f"shard-{number:03d}") for number in range(2)]
    vaults = [FileVault(folder / "vault", key, number) for number in range(2)]
    return World(FILES, stores=stores, vaults=vaults)


def lives(world: World) -> Customer:
    """Somebody who leaves traces everywhere: as a visitor, logged in, in mails, timers, decisions, staged inputs."""
    visitor = world.customer(anonymous="laptop-of-ada")
    for number in range(100):
        visitor.does("Product Viewed", product=SECRET, number=number)
    ada = world.customer(MAIL, consents=YES_TO_MAIL)
    ada.identifies(email=MAIL, name=SECRET)
    ada.does("Product Added", cart_id=SECRET)
    world.customer(MAIL, anonymous="laptop-of-ada").does("Page Viewed", page=SECRET)
    world.settle()
    ada.decides(request_id=MAIL)
    world.advance(hours=2)
    ada.does("Product Added", cart_id="second")
    return ada


def place_of(world: World, namespace: str, value: str) -> str:
    return profile_id(world.catalog.id_key, namespace, value)


def erase(world: World, who: Customer) -> None:
    world.settle()
    world.engine.ask_profile(who.id, Erase())
    world.settle()


def raw_files(folder: Path, *words: str) -> list[str]:
    """The files in which one of the words stands, in any way in which text may lie on a disk."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            found += [f"{word} in {path.name}" for word in words if word.encode() in content]
    return found


def words_in_records(world: World, *words: str) -> int:
    """The same in what a shard can still decrypt: compressed and encrypted files hide what is only not erased."""
    count = 0
    for windows in world.engine.windows:
        batch = windows.shard.batch
        for family in ("state", "history", "audit", "journal", "snapshots", "messages", "staged", "dead", "seen"):
            for _, record in batch.committed(family):
                plain = codec.unseal(record)
                count += any(word.encode() in plain for word in words)
    return count


def test_invariant_10_erased_is_erased(world: World, tmp_path: Path):
    ada = lives(world)
    old_id = ada.id
    assert words_in_records(world, SECRET) > 100
    backup = tmp_path.with_name(tmp_path.name + "-backup")
    for number in range(2):
        shutil.copytree(tmp_path / f"shard-{number:03d}", backup / f"shard-{number:03d}")
    vaults_before = {path.name: path.read_bytes() for path in (tmp_path / "vault").iterdir()}
    places = world.engine.ask_profile(old_id, Erase())["places"]
    world.settle()

    assert words_in_records(world, SECRET, MAIL, "laptop-of-ada") == 0
    assert raw_files(tmp_path, SECRET, MAIL, "laptop-of-ada") + raw_files(backup, SECRET, MAIL) == []
    for place in places:
        assert not isinstance(world.engine.shard(place).record(place), Profile)
    erased = [name for name, content in vaults_before.items() if (tmp_path / "vault" / name).read_bytes() != content]
    assert erased, "no key was destroyed"
    for number in range(2):  # what the backup holds of her cannot be decrypted by anybody any more
        store = RocksStore(backup / f"shard-{number:03d}")
        vault = FileVault(tmp_path / "vault", b"k" * 32)
        unreadable = 0
        for family in ("state", "history", "audit", "journal"):
            for _, record in store.scan(family):
                try:
                    assert SECRET.encode() not in codec.unseal(vault.unlock(record))
                except NotFound:
                    unreadable += 1
        store.close()
        assert unreadable or number != world.engine.number_of(old_id)


def test_a_rejected_item_about_somebody_goes_with_them_and_any_other_is_not_plain_on_disk(world: World, tmp_path: Path):
    ada = lives(world)
    stranger = place_of(world, "user_id", "nobody-yet")
    for name, text in ((ada.id, f"{SECRET} has no time"), (stranger, "a stranger's secret")):
        shard = world.engine.shard(name)
        dead_letter_actions.set_aside(shard, name, Rejected(text=text), "is no time")
        shard.commit()
    kept = [letter for each in world.engine.windows for letter in each.shard.dead.all()]
    assert sorted(letter.told.text for letter in kept) == [f"{SECRET} has no time", "a stranger's secret"]  # type: ignore[union-attr]
    erase(world, ada)
    (left,) = (letter for each in world.engine.windows for letter in each.shard.dead.all())
    assert left.profile == stranger
    assert raw_files(tmp_path, "a stranger's secret", SECRET) == []


def test_others_stay_and_nothing_more_is_sent_to_the_erased(world: World):
    ada = lives(world)
    sent = len(world.mailbox)
    erase(world, ada)
    world.advance(days=3)
    assert [message["address"] for message in world.mailbox[sent:]] == []
    bob = world.customer("bob@example.com")
    assert bob.sends == ["cart_reminder"] and bob.profile.trait_values["email"] == "bob@example.com"
    for windows in world.engine.windows:
        shard = windows.shard
        for profile in shard.all_profiles():
            record = shard.record(profile)
            assert record is not None and list(differences(shard.batch, profile, record, shard.catalogs)) == []


def test_who_comes_again_with_the_same_names_is_somebody_new_and_can_be_erased_again(world: World):
    old_id = lives(world).id
    for _ in range(3):
        erase(world, world.customer(MAIL))
        again = world.customer(MAIL, anonymous="laptop-of-ada")
        again.does("Page Viewed", page="new")
        world.advance(minutes=2)  # each erasure before makes the way to the address a window longer
        assert [event.name for event in again.profile.history] == ["Identified", "Page Viewed"]
        assert again.id != old_id and again.profile.runs == []
        by_mail = world.engine.resolve(place_of(world, "email", MAIL))
        assert by_mail == again.id, "the address leads to the new person"


def test_inputs_that_wait_for_their_time_go_too(world: World, tmp_path: Path):
    ada = lives(world)
    later = ada.event("Order Completed", at_ms=world.now_ms + HOUR, product=SECRET)
    home = place_of(world, "user_id", MAIL)
    world.engine.stage([later])
    erase(world, ada)
    world.advance(hours=2)
    assert words_in_records(world, SECRET) == 0
    assert all(item.profile != home for windows in world.engine.windows for item in windows._staged)


def test_what_is_on_its_way_to_an_erased_person_is_erased_with_them(world: World):
    """The phone's own past is claimed, and still travels while its new owner is erased."""
    phone = world.customer(anonymous="phone-of-ada")
    phone.does("Product Viewed", product=SECRET)
    ada = lives(world)
    shard = world.engine.shard(ada.id)
    shard.tell(ada.id, world.customer(MAIL, anonymous="phone-of-ada").event("Page Viewed"))
    shard.commit()
    with pytest.raises(NotReady, match="is being linked"):
        shard.tell(ada.id, Erase())
    shard.dead.put(ada.id, Erase(), "as if set aside", world.now_ms)
    assert dead_letter_actions.retry(shard, shard.dead.last) == "waiting"
    (letter,) = shard.dead.all()
    assert isinstance(letter.told, Erase), "it is kept"
    shard.dead.take(letter.number)
    shard.commit()
    world.settle()
    erase(world, ada)
    assert words_in_records(world, SECRET) == 0


def test_a_crash_between_the_commit_and_the_end_of_a_key_is_made_good_at_the_next_start(tmp_path: Path):
    world = open_world(tmp_path)
    ada = lives(world)
    shard = world.engine.shard(ada.id)
    place = shard.batch.key_of(ada.id)
    shard.tell(ada.id, Erase())
    shard.commit(sync=False)
    locked = FileVault(tmp_path / "vault", b"k" * 32).lock(place, codec.seal(b"x"))
    for windows in world.engine.windows:
        windows.shard.batch.close()
    again = open_world(tmp_path)
    with pytest.raises(NotFound, match="erased"):
        FileVault(tmp_path / "vault", b"k" * 32).unlock(locked)
    again.now_ms = world.now_ms
    again.settle()
    assert words_in_records(again, SECRET) == 0
    for windows in again.engine.windows:
        windows.shard.close()


def test_a_stranger_cannot_be_erased_and_a_token_of_the_erased_leads_to_nobody(world: World):
    ada = lives(world)
    shown = ada.decides()["actions"][0]
    old_id = ada.id
    shard = world.engine.shard(old_id)
    erase(world, ada)
    with pytest.raises(Moved):
        shard.tell(old_id, Erase())
    with pytest.raises(NotFound):
        world.engine.ask_profile(world.engine.resolve(old_id), Erase())
    assert isinstance(ada.event("x"), Event) and shown["trackingToken"]
