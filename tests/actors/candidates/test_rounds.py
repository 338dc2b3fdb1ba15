"""People whom no identifier joins are found by what is known of them, when matching is asked to look."""

from __future__ import annotations

from dataclasses import asdict

from support.matching import ADA, BYRON, CLOSE, FAINT, adopt, answer, catalog, erase, guest, match, person, reviews
from support.world import World

from actors.candidates import rounds
from actors.maintenance.verify_replay import differences
from actors.shard.matching import block_keys
from actors.storage import keys
from actors.storage.memory_store import MemoryStore
from engine import codec


def rows(world: World) -> list[bytes]:
    return [key for windows in world.engine.windows for key, _ in windows.shard.batch.raw("blocks", b"")]


def test_two_records_of_one_person_are_linked_and_others_are_not():
    world = World(catalog(), shards=3)
    online, till, other = person(world, "ada", ADA), person(world, "a.l", CLOSE), person(world, "aug", BYRON)

    done = match(world)

    assert done.profiles == 3
    assert [link.profile for link in online.profile.likely] == [till.id]
    assert [link.profile for link in till.profile.likely] == [online.id]
    assert other.profile.likely == []


def test_who_was_matched_waits_no_more_until_something_changes():
    world = World(catalog())
    person(world, "ada", ADA)
    till = person(world, "a.l", CLOSE)
    match(world)
    assert match(world).profiles == 0

    till.does("Product Viewed")
    assert match(world).profiles == 0

    till.identifies(**BYRON)
    assert match(world).profiles == 1


def test_where_matching_is_off_there_is_no_index():
    world = World(catalog(enabled=False))
    person(world, "ada", ADA)
    assert rows(world) == []


def test_an_erased_person_leaves_nothing_in_the_index():
    world = World(catalog(), shards=2)
    ada = person(world, "ada", ADA)
    assert rows(world)

    erase(world, ada)

    assert rows(world) == []


def test_a_key_that_too_many_have_is_left_out_and_counted(monkeypatch):
    world = World(catalog())
    for number in range(5):
        person(world, f"ada-{number}", ADA)

    monkeypatch.setattr(rounds, "BLOCK_MAX", 3)
    done = match(world)

    assert done.pairs == 0
    assert asdict(done)["frequent"]["birth"] == 5, "it crosses processes as plain data"


def test_a_catalog_that_compares_something_else_has_the_index_made_anew():
    world = World(catalog())
    person(world, "ada", ADA | {"alias": "Grace"})
    before = rows(world)

    adopt(world, catalog(fields={"given_name": ["alias"]}))
    match(world)
    after = rows(world)
    assert len([key for key in after if key[:8] > block_keys.LENT]) > 0
    assert set(before) != set(after)

    adopt(world, catalog(enabled=False))
    match(world)
    assert rows(world) == []


def test_an_index_that_was_complete_is_not_made_anew_by_a_restart():
    stores = [MemoryStore()]
    world = World(catalog(), stores=stores)
    person(world, "ada", ADA)
    match(world)
    again = World(catalog(), stores=stores)
    shard = again.engine.windows[0].shard
    assert not shard.rebuilding.is_busy
    assert shard.blocks.counts == {"indexed": 1, "waiting": 0}


def test_links_questions_and_answers_come_out_of_the_journals_again():
    world = World(catalog(), shards=3)
    ada, till, perhaps = person(world, "ada", ADA), guest(world, "a.l", CLOSE), guest(world, "al", FAINT)
    match(world)
    asked = [(who, entry) for who in (ada, till, perhaps) for entry in reviews(world, who)]
    assert len(asked) > 1
    for number, (who, entry) in enumerate(asked):
        answer(world, who, entry, accepted=number == 0)
    match(world)
    for windows in world.engine.windows:
        shard = windows.shard
        for key, record in shard.batch.committed("state"):
            known = codec.decode_record(record)
            assert list(differences(shard.batch, keys.profile_of(key), known, shard.catalogs)) == []
