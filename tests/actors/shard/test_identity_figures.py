"""The figures of identity are kept with every commit, and agree with what a count of all records would say."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from support.world import CART, World, compiled

from actors.shard.shard import Shard
from actors.storage.memory_store import MemoryStore
from engine import effects
from engine.catalog.compiled import Catalog
from engine.inputs import Erase, Join
from engine.parts.of_identity import ReviewEntry
from engine.profile import Profile
from engine.readings import identity_figures


def counted(shard: Shard) -> Counter[str]:
    """What a count of every record says."""
    found = Counter[str]()
    for profile in shard.all_profiles():
        found.update(shard.people.of_profile(profile, shard.record(profile)))
    return found


def kept(shard: Shard) -> Counter[str]:
    """What the shard has kept, without what has gone back to nothing."""
    counts = shard.people.counts()
    assert counts is not None
    return Counter({label: count for label, count in counts.items() if count})


def story() -> World:
    """Ada is known, a visitor becomes her, another one stays a stranger, and Bob goes."""
    world = World()
    world.customer("ada@example.com").does("Page Viewed")
    world.customer(anonymous="laptop").does("Product Added", cart_id="c")
    world.customer("ada@example.com", anonymous="laptop").does("Page Viewed")
    world.customer(anonymous="phone").does("Page Viewed")
    bob = world.customer("bob@example.com")
    bob.does("Page Viewed")
    world.settle()
    return world


def test_known_people_identifiers_and_merges_are_counted_as_they_happen():
    shard = story().engine.windows[0].shard
    assert kept(shard) == counted(shard)
    told = identity_figures.told(kept(shard), shard.resolved, is_matching=False)
    assert told["profiles"] == {"known": 2, "anonymous": 1, "matchRate": 2 / 3}
    assert told["identifiersPerProfile"]["1"] == 1 and told["identifiersPerProfile"]["3"] == 1
    assert told["merges"] == 1 and told["splits"] == 0
    assert told["events"]["anonymous"] == 2, "the two events of devices on which nobody had said a name"
    assert told["duplicates"]["rate"] is None and told["duplicates"]["high"] is None


def test_the_counts_survive_a_restart_and_an_erasure_takes_back_what_it_takes_away():
    store = MemoryStore()
    world = World(stores=[store])
    ada = world.customer("ada@example.com")
    ada.does("Page Viewed")
    world.customer(anonymous="phone").does("Page Viewed")
    world.settle()
    shard = world.engine.windows[0].shard
    review(shard, ada.id, "candidate")
    shard.commit()
    before = kept(shard)
    assert before["review/candidate/open"] == 1
    again = World(stores=[store]).engine.windows[0].shard
    assert kept(again) == before == counted(again)
    again.tell(ada.id, Erase())
    again.commit()
    assert kept(again) == counted(again)
    assert not kept(again)["known"] and not kept(again)["review/candidate/open"]


def test_a_person_who_is_erased_while_an_identifier_is_found_shared_leaves_no_question_behind():
    world = World(CART)
    ada, bob = (world.customer(name, anonymous="tablet") for name in ("ada", "bob"))
    for who in (ada, bob):
        who.does("Page Viewed")
        world.settle()
    shard = world.engine.windows[0].shard
    world.engine.ask_profile(ada.id, Erase())
    world.settle()
    world.settle()
    assert kept(shard) == counted(shard)
    assert not kept(shard)["review/shared/open"]


def test_a_store_without_the_counts_is_counted_beside_the_work_and_what_changes_meanwhile_counts_once():
    store = MemoryStore()
    world = World(stores=[store])
    for number in range(450):
        world.customer(f"user-{number}").does("Page Viewed")
    world.engine.windows[0].shard.put_meta("people", None)
    world.engine.windows[0].shard.commit()
    world = World(stores=[store])
    shard = world.engine.windows[0].shard
    assert shard.people.counts() is None and shard.people.fact() is None and shard.is_busy
    steps = 0
    while shard.people.work():
        steps += 1
        world.customer(f"user-{steps}@example.com").does("Page Viewed")
        world.customer(f"user-{400 + steps}").identifies(loyalty_id=f"L{steps}")
    assert steps >= 2 and not shard.is_busy
    assert kept(shard) == counted(shard)
    shard.decide_by(without_contacts())
    assert shard.people.counts() is None, "a catalog by which an address makes nobody known"
    while shard.people.work():
        pass
    assert kept(shard) == counted(shard)


def test_a_review_counts_by_what_it_is_and_how_it_stands():
    world = World()
    ada = world.customer("ada")
    ada.does("Page Viewed")
    shard = world.engine.windows[0].shard
    review(shard, ada.id, "merge")
    review(shard, ada.id, "merge")
    assert kept(shard)["review/merge/open"] == 1, "the same entry once"
    review(shard, ada.id, "merge", state="dismissed")
    assert kept(shard)["review/merge/dismissed"] == 1 and not kept(shard)["review/merge/open"]


def review(shard: Shard, profile: str, kind: str, state: str = "open") -> None:
    """A turn asks for an entry in the review queue."""
    entry = ReviewEntry("ab" * 8, 1, kind, "because", profile, state=state)
    record = shard.record(profile)
    assert isinstance(record, Profile)
    shard._apply(record, [effects.Review(entry)])


def without_contacts() -> Catalog:
    """The catalog with a rule that an address makes nobody known."""
    catalog = compiled(CART)
    rules = catalog.identity
    email = replace(rules.namespaces["email"], kind="device")
    return replace(catalog, identity=replace(rules, namespaces={**rules.namespaces, "email": email}))


def test_the_duplicate_rate_is_told_with_its_interval_and_not_known_where_nobody_has_decided():
    people = {"known": 90, "anonymous": 10, "likely": 40, "review/candidate/open": 14}
    unsure = identity_figures.told(people, {}, is_matching=True)["duplicates"]
    assert unsure == {"suspects": 20, "decided": 0, "rate": None, "low": 0.0, "high": 0.2}
    decided = people | {"review/candidate/accepted": 30, "review/candidate/dismissed": 10}
    found = identity_figures.told(decided, {}, is_matching=True)["duplicates"]
    assert found["rate"] == 0.2 * 0.75 and found["decided"] == 40
    assert (round(found["low"], 3), round(found["high"], 3)) == (0.12, 0.172)
    assert identity_figures.told(people, {}, is_matching=False)["duplicates"]["rate"] is None
    assert identity_figures.told({}, {}, is_matching=True)["profiles"]["matchRate"] is None


def test_both_profiles_of_a_pair_are_one_suspect_and_not_everybody_is_the_second_of_somebody():
    def suspects(**people: int) -> Any:
        return identity_figures.told({"known": 10} | people, {}, is_matching=True)["duplicates"]["suspects"]

    pair = {"likely": 2, "review/candidate/open": 1}
    assert suspects(**pair) == 1
    assert suspects(likely=3) == 2
    assert suspects(**{"review/candidate/open": 30}) == 9


def test_nothing_is_said_of_duplicates_before_profiles_are_counted_and_compared():
    nothing = {"rate": None, "low": None, "high": None}

    def duplicates(people: dict[str, int] | None, *, is_compared: bool) -> Any:
        return identity_figures.told(people, {}, is_matching=True, is_compared=is_compared)["duplicates"]

    assert duplicates({"known": 9}, is_compared=False) == {"suspects": 0, "decided": 0} | nothing
    assert duplicates({"known": 9}, is_compared=True)["rate"] == 0.0
    assert duplicates(None, is_compared=True) == {"suspects": None, "decided": None} | nothing


def test_freshness_says_at_most_how_old_events_were():
    told = identity_figures.freshness((0.1, 1.0, 10.0), [90, 8, 0, 2])
    assert told == {
        "events": 100,
        "atMostSeconds": {"p50": 0.1, "p99": None},
        "within": {"0.1": 90, "1": 98, "10": 98, "+Inf": 100},
    }
    assert identity_figures.freshness((0.1,), [0, 0])["atMostSeconds"] == {"p50": None, "p99": None}


def test_wilsons_interval_is_that_of_the_textbook():
    low, high = identity_figures.wilson(8, 10)
    assert (round(low, 4), round(high, 4)) == (0.4902, 0.9433)
    assert msgspec.json.encode(identity_figures.wilson(0, 0)) == b"[0.0,1.0]"


@pytest.mark.parametrize(("at_ada", "at_bob"), [("open", "open"), ("dismissed", "open"), ("open", "dismissed")])
def test_a_question_that_both_have_counts_once_where_they_become_one(at_ada: str, at_bob: str):
    """As after a split, when the same question came up again."""
    world = World()
    ada, bob = world.customer("ada@example.com"), world.customer("bob@example.com")
    shard = world.engine.windows[0].shard
    for who, state in ((ada, at_ada), (bob, at_bob)):
        who.does("Page Viewed")
        review(shard, who.id, "merge", state=state)
    world.engine.ask_profile(bob.id, Join(other=ada.id, review="r", force=True))
    world.settle()
    assert ada.id == bob.id
    assert [entry.state for entry in ada.questions] == ["open" if at_ada == at_bob else "dismissed"]
    assert kept(shard) == counted(shard)
