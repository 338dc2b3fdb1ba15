"""A catalog takes the place of another one; turns, runs and receipts stay with the one they name (Invariant 12)."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest
from support.world import ID_KEY, World, action, cart_journey, compiled, document

from actors.catalog_files.active_catalog import ActiveCatalog
from actors.maintenance import verify_replay
from actors.serving import catalog_switch
from engine.catalog.compiled import Catalog
from engine.decide import receipt
from engine.errors import NotReady


def shop(version: int, **changes: Any) -> dict[str, Any]:
    """Every version chooses another action, and asks another question of older events."""
    often = {"event": {"name": "Seen", "count": {"at_least": 3 + version % 4}}}
    offers = [
        action(
            f"offer_{number}",
            channels=["web"],
            placements=["home_hero"],
            purpose="service",
            value=10.0 if number == version % 5 else 1.0,
            eligible=often,
        )
        for number in range(5)
    ]
    cap = {"id": "daily", "limit": 2 + version % 3, "per": "1d", "match": {"channel": "web"}}
    return document(actions=offers, policies={"caps": [cap]}, **changes)


def swap(world: World, plain: dict[str, Any]) -> Catalog:
    catalog = dataclasses.replace(compiled(plain), id_key=ID_KEY)
    for windows in world.engine.windows:
        catalog_switch.adopt(windows.shard, catalog)
    return world.engine.windows[0].shard.catalog


def test_fifty_catalogs_take_turns_and_every_receipt_names_its_own():
    world = World(shop(0))
    ada = world.customer("ada")
    for _ in range(60):  # far more than what is recent
        ada.does("Seen")
    shard = world.engine.shard(ada.id)
    answered: dict[str, dict[str, Any]] = {}
    for version in range(1, 51):
        catalog = swap(world, shop(version))
        world.advance(minutes=45)
        answer = ada.decides(request_id=f"r{version}")
        assert answer["catalogVersion"] == catalog.version
        answered[answer["decisionId"]] = answer
        if answer["actions"]:
            assert answer["actions"][0]["actionId"] == f"offer_{version % 5}"
            ada.sees(answer["actions"][0])
    assert {len(answer["actions"]) for answer in answered.values()} == {0, 1}
    entries = [entry for entry in ada.timeline if entry.kind == "decision"]
    assert len(entries) == 50
    for entry in entries:
        kept = receipt.read(entry.detail["receipt"])
        answer = answered[kept.decision.hex()]
        assert entry.version == answer["catalogVersion"]
        rows = receipt.outcomes(kept, shard.catalogs[entry.version], "web")
        chosen = [name for name, outcome, _ in rows if outcome == "chosen"]
        assert chosen == [shown["actionId"] for shown in answer["actions"]]
    found = list(verify_replay.differences(shard.batch, ada.id, ada.profile, shard.catalogs))
    assert found == [], "deciding again, by the catalogs that the journal names, gives the same bytes"


def test_a_run_takes_its_steps_from_the_journey_that_it_entered():
    letters = [action(name, purpose="service") for name in ("letter", "other")]

    def leading_to(name: str) -> dict[str, Any]:
        steps = [{"wait": {"for": "1h"}}, {"send": {"action": name, "channel": "email"}}]
        return document(actions=letters, journeys=[cart_journey(id="j", steps=steps)])

    old = leading_to("letter")
    world = World(old)
    ada = world.customer("ada")
    ada.identifies(email="ada@shop.example")
    ada.does("Product Added", cart_id="c1", value=20)
    swap(world, leading_to("other"))
    world.advance(hours=2)
    assert ada.sends == ["letter"]


def test_a_catalog_file_is_followed_and_what_is_no_catalog_changes_nothing(tmp_path: Path):
    active_catalog = ActiveCatalog(tmp_path / "catalog", ID_KEY)
    one, two, three = (compiled(shop(version)) for version in range(3))
    active_catalog.put(one.document)

    async def story() -> list[str]:
        seen: list[str] = []
        following = asyncio.create_task(
            active_catalog.follow(one.version, lambda catalog: seen.append(catalog.version))
        )
        for document_bytes, wanted in ((two.document, 1), (b"no catalog", 1), (three.document, 2)):
            active_catalog.put(document_bytes)
            for _ in range(60 if document_bytes == b"no catalog" else 3_000):
                await asyncio.sleep(0.01)
                if len(seen) == wanted and document_bytes != b"no catalog":
                    break
        following.cancel()
        return seen

    assert asyncio.run(story()) == [two.version, three.version]
    assert active_catalog.read().version == three.version
    assert [path.name for path in tmp_path.iterdir()] == ["catalog"]


@pytest.mark.parametrize(("word", "sent"), [("stop", []), ("follow", ["two"])])
def test_a_shard_that_missed_an_edit_makes_it_when_the_next_one_comes(tmp_path: Path, word: str, sent: list[str]):
    def way(name: str, **changes: Any) -> dict[str, Any]:
        steps = [{"id": "pause", "wait": {"for": "1h"}}, {"send": {"action": name, "channel": "email"}}]
        letters = [action(each, purpose="service") for each in ("one", "two", "three")]
        return document(actions=letters, journeys=[cart_journey(id="j", steps=steps) | changes])

    active_catalog = ActiveCatalog(tmp_path / "catalog", ID_KEY)
    active_catalog.take(compiled(way("one")).document)
    world = World(way("one"))
    ada = world.customer("ada")
    ada.identifies(email="ada@shop.example")
    ada.does("Product Added", cart_id="c1", value=20)
    active_catalog.take(compiled(way("two", on_edit=word)).document)  # no shard sees this one
    active_catalog.take(compiled(way("three")).document)
    for windows in world.engine.windows:
        catalog_switch.adopt(windows.shard, active_catalog.read_with_edits())
    world.advance(hours=2)
    assert ada.sends == sent
    shard = world.engine.shard(ada.id)
    kept = dict(shard.batch.raw("meta", b"catalog/"))
    assert len(kept) == 3, "a turn that is repeated knows it too"
    assert list(verify_replay.differences(shard.batch, ada.id, ada.profile, shard.catalogs)) == []


def test_a_catalog_that_no_edit_is_made_by_is_not_kept_beside_the_active_one(tmp_path: Path):
    def way(wait: str, **changes: Any) -> dict[str, Any]:
        return document(journeys=[cart_journey(id="j", steps=[{"wait": {"for": wait}}]) | changes])

    active_catalog = ActiveCatalog(tmp_path / "catalog", ID_KEY)
    for hours in range(1, 30):
        active_catalog.take(compiled(way(f"{hours}h", on_edit="follow")).document)
    kept = [path.name for path in tmp_path.iterdir() if ".edit-" in path.name]
    assert len(kept) == 16
    without = document()
    active_catalog.take(compiled(without).document)
    active_catalog.take(compiled(without | {"policies.yaml": {"min_propensity": 0.1}}).document)
    assert len(active_catalog.read_with_edits().archive) == 15, "the newest edit was never replaced by another"


def test_a_catalog_that_cannot_be_written_is_named(tmp_path: Path):
    with pytest.raises(NotReady, match="the catalog cannot be written: No such file"):
        ActiveCatalog(tmp_path / "gone" / "catalog", ID_KEY).put(b"")
