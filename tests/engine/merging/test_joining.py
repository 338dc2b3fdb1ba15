"""Which two profiles an input joins, which it does not, and why (`docs/design/identity.md#who-may-start-a-merge`)."""

from __future__ import annotations

from typing import Any

import pytest
from support.letters import SHOP, says
from support.world import Customer, World

from engine.errors import InvalidInput
from engine.inputs import Confirm, Join, Reviewed
from engine.seeds import profile_id

Pair = tuple[str, str]
MAIL = ("email", "ada@shop.example")
CARD = ("loyalty_id", "4711")


def shop(shards: int = 2, sources: dict[str, Any] | None = None, **namespaces: dict[str, Any]) -> World:
    files: dict[str, Any] = {"identity.yaml": {"namespaces": namespaces}}
    if sources:
        files["sources.yaml"] = {"sources": sources}
    return World(SHOP | files, shards=shards)


@pytest.fixture(params=[1, 4], ids=["one shard", "four shards"])
def world(request: pytest.FixtureRequest) -> World:
    return shop(request.param)


def by(world: World, *pairs: Pair) -> Customer:
    """Whoever is known by these identifiers."""
    named = dict(pairs)
    who = world.customer(named.pop("user_id", ""), anonymous=named.pop("anonymous_id", ""))
    tell, rest = who.event, tuple(named.items())
    who.event = lambda name, **fields: tell(name, **({"identifiers": rest} | fields))  # type: ignore[method-assign]
    who._names = lambda: pairs  # type: ignore[method-assign]
    return who


def seen(world: World, *pairs: Pair, public: bool = False, **fields: Any) -> Customer:
    who = by(world, *pairs)
    who.does("Seen", public=public, **fields)
    world.advance(minutes=2)
    return who


def joined(*people: Customer) -> bool:
    return len({who.id for who in people}) == 1


# -- by a source that may merge


def test_a_card_joins_two_people_whatever_came_first(world: World):
    till, ada = seen(world, CARD), seen(world, ("user_id", "ada"))
    seen(world, ("user_id", "ada"), CARD)
    assert joined(till, ada)
    (merged,) = ada.profile.ledger
    assert (merged.namespace, merged.source, merged.public, merged.confidence) == ("loyalty_id", "test", False, 1.0)
    assert merged.by == profile_id(world.catalog.id_key, *CARD) and merged.id


def test_a_card_whose_place_points_to_somebody_joins_that_one(world: World):
    seen(world, MAIL, CARD)
    ada = seen(world, ("user_id", "ada"))
    seen(world, ("user_id", "ada"), MAIL)
    assert joined(by(world, CARD), by(world, MAIL), ada)


def test_two_values_of_a_unique_namespace_stay_two_people_and_somebody_is_asked(world: World):
    ada, bob = seen(world, ("user_id", "ada"), CARD), seen(world, ("user_id", "bob"))
    for _ in range(3):
        seen(world, ("user_id", "bob"), CARD)
    assert not joined(ada, bob) and joined(ada, by(world, CARD))
    assert bob.refusals == ["identity.unique"], "it is said once"
    (entry,) = bob.questions
    assert (entry.kind, entry.reason, entry.namespace, entry.other) == ("merge", "identity.unique", "user_id", ada.id)
    assert entry.detail == {"by": "loyalty_id"} and entry.source == "test" and entry.state == "open"


def test_a_merge_that_would_burst_a_limit_is_refused_while_its_window_lasts():
    world = shop(loyalty_id={"limit": {"count": 1, "within": "30d"}, "shared_above": 1000})
    one, other = seen(world, CARD, MAIL), seen(world, ("loyalty_id", "0815"))
    seen(world, ("loyalty_id", "0815"), MAIL)
    assert not joined(one, other)
    (entry,) = [*one.questions, *other.questions]
    assert (entry.kind, entry.reason, entry.namespace) == ("merge", "identity.limit", "loyalty_id")
    ada = seen(world, ("user_id", "ada"), ("loyalty_id", "0001"))
    world.advance(days=31)
    seen(world, ("user_id", "ada"), ("loyalty_id", "0002"))
    assert len(ada.profile.identifiers) == 3, "a month later it is no burst"


def test_a_blocked_value_joins_nobody_and_is_said_once(world: World):
    ada, bob = seen(world, ("user_id", "ada")), seen(world, ("user_id", "bob"))
    for who in ("ada", "bob", "ada"):
        seen(world, ("user_id", who), ("loyalty_id", "null"))
    assert not joined(ada, bob)
    assert ada.refusals == ["identity.blocked"]
    assert [(entry.kind, entry.reason) for entry in ada.questions] == [("merge", "identity.blocked")]


def test_a_source_that_may_not_merge_gives_new_identifiers_and_joins_nobody():
    world = shop(sources={"test": {"channel": "till", "merge": False}})
    ada, card = seen(world, ("user_id", "ada")), seen(world, CARD)
    seen(world, ("user_id", "ada"), CARD)
    assert not joined(ada, card) and ada.refusals == ["identity.not_allowed"]
    assert [(entry.kind, entry.reason) for entry in ada.questions] == [("merge", "identity.not_allowed")]
    seen(world, ("user_id", "ada"), ("loyalty_id", "new"))
    assert joined(ada, by(world, ("loyalty_id", "new")))


def test_a_source_that_may_not_link_takes_no_place():
    world = shop(sources={"test": {"channel": "till", "link": False}})
    ada = seen(world, ("user_id", "ada"), CARD)
    assert ada.refusals == ["identity.not_allowed"]
    other = seen(world, CARD)
    assert not joined(ada, other)


def test_two_who_bring_two_values_at_once_are_not_both_taken_in():
    """Both are asked before either has come; the one that comes second goes back."""
    world = shop(crm={"kind": "person", "unique": True, "priority": 95}, loyalty_id={"priority": 94})
    one = seen(world, ("crm", "1"), ("loyalty_id", "a"))
    other = seen(world, ("crm", "2"), ("loyalty_id", "b"))
    both = seen(world, ("user_id", "ada"), ("loyalty_id", "a"), MAIL)
    both.does("Seen", identifiers=(("loyalty_id", "a"), ("loyalty_id", "b")))
    world.advance(minutes=3)
    assert len({one.id, other.id}) == 2


# -- devices


def test_a_device_joins_a_visitor_once(world: World):
    visitor = seen(world, ("anonymous_id", "tablet"), public=True)
    ada = seen(world, ("user_id", "ada"), ("anonymous_id", "tablet"), public=True)
    bob = seen(world, ("user_id", "bob"), ("anonymous_id", "tablet"))
    assert joined(visitor, ada) and not joined(ada, bob)
    assert bob.refusals == ["identity.shared"]
    assert [entry.kind for entry in bob.questions] == []
    assert [entry.kind for entry in ada.questions] == ["shared", "split"], "the visitor may not have been hers"


def test_a_device_of_a_few_people_is_theirs_until_there_are_too_many(world: World):
    device = ("device_id", "kiosk")
    people = [seen(world, ("user_id", f"u{number}"), device) for number in range(3)]
    assert not any(link.shared for who in people for link in who.profile.identifiers)
    assert people[1].refusals == ["identity.taken"]
    people.append(seen(world, ("user_id", "u3"), device))
    world.advance(minutes=2)
    assert [who.id == by(world, device).id for who in people] == [True, False, False, False]
    for who in people:
        assert [link.value for link in who.profile.identifiers if link.shared] == ["kiosk"]
    assert [entry.kind for entry in people[0].questions] == ["shared"]


# -- guests


def guest(world: World, name: str = "phone") -> Customer:
    """Somebody who has stated an address under a write key, and nothing else."""
    who = world.customer(anonymous=name)
    says(who, email=MAIL[1], public=True)
    return who


def test_a_guest_is_not_joined_by_a_write_key_and_the_device_is_nobody_elses_for_that(world: World):
    known = guest(world)
    ada = seen(world, ("user_id", "ada"), ("anonymous_id", "phone"), MAIL, public=True)
    assert not joined(known, ada)
    assert ada.refusals == ["identity.unverified"]
    assert ada.questions == [], "anybody could fill the queue with it"
    assert not any(link.shared for link in known.profile.identifiers)


def test_a_guest_is_joined_when_a_server_key_names_address_and_browser_together(world: World):
    known = guest(world)
    ada = seen(world, ("user_id", "ada"))
    seen(world, ("user_id", "ada"), MAIL)
    assert not joined(known, ada), "whoever typed her address into a page is not she"
    seen(world, ("user_id", "ada"), ("anonymous_id", "phone"), MAIL)
    assert joined(known, ada)


def test_a_guest_who_came_second_is_joined_when_a_server_key_names_device_and_address(world: World):
    ada = seen(world, ("user_id", "ada"), MAIL)
    known = guest(world)
    assert not joined(known, ada)
    seen(world, ("anonymous_id", "phone"), MAIL)
    assert joined(known, ada)
    assert [merged.namespace for merged in ada.profile.ledger] == ["email"]


def test_a_guest_is_joined_when_the_mailbox_confirms_the_address(world: World):
    ada = seen(world, ("user_id", "ada"), MAIL)
    known = guest(world)
    assert world.engine.ask_profile(known.id, Confirm(address=profile_id(world.catalog.id_key, *MAIL)))
    world.advance(minutes=2)
    assert joined(known, ada)
    assert [merged.source for merged in ada.profile.ledger] == ["confirmed"]


def test_an_alias_of_two_known_people_is_a_server_keys(world: World):
    ada, known = seen(world, ("user_id", "ada")), guest(world)
    ada.does("Aliased", kind="alias", previous_id="phone", public=True)
    world.advance(minutes=2)
    assert not joined(ada, known) and "identity.not_allowed" in ada.refusals
    ada.does("Aliased", kind="alias", previous_id="phone")
    world.advance(minutes=2)
    assert joined(ada, known)


# -- by a decision


def decided(world: World, who: Customer, other: Customer, **fields: Any) -> None:
    assert world.engine.ask_profile(who.id, Join(other=other.id, **fields)) == {"asked": True}
    world.advance(minutes=2)


def test_somebody_may_decide_in_spite_of_a_limit_and_of_a_unique_value_only_by_force():
    world = shop(loyalty_id={"limit": {"count": 1}})
    one, other = seen(world, CARD), seen(world, ("loyalty_id", "0815"))
    decided(world, one, other, source="desk")
    assert not joined(one, other), "the engine alone keeps to the limit"
    decided(world, one, other, source="desk", review="r1")
    assert joined(one, other)
    assert [(merged.namespace, merged.source) for merged in one.profile.ledger] == [("decision", "desk")]
    ada, bob = seen(world, ("user_id", "ada")), seen(world, ("user_id", "bob"))
    decided(world, ada, bob, review="r2")
    assert not joined(ada, bob)
    decided(world, ada, bob, review="r2", force=True)
    assert joined(ada, bob)


def test_a_yes_that_needs_force_says_so_and_leaves_the_question_open(world: World):
    ada, bob = (seen(world, ("user_id", name), MAIL) for name in ("ada", "bob"))
    ((who, entry),) = [(who, entry) for who in (ada, bob) for entry in who.questions]
    assert entry.reason == "identity.unique"
    with pytest.raises(InvalidInput, match="force: both have a user_id, and a person has only one"):
        world.engine.ask_profile(who.id, Reviewed(entry=entry, accepted=True, by="desk"))
    assert [entry.state for entry in who.questions] == ["open"]
    world.engine.ask_profile(who.id, Reviewed(entry=entry, accepted=True, by="desk", force=True))
    world.advance(minutes=2)
    assert joined(ada, bob)


def test_a_yes_to_a_blocked_value_says_that_it_joins_nobody():
    world = shop(loyalty_id={"blocked": ["0000"]})
    ada = seen(world, ("user_id", "ada"), ("loyalty_id", "0000"))
    (entry,) = ada.questions
    with pytest.raises(InvalidInput, match="a blocked loyalty_id joins nobody"):
        world.engine.ask_profile(ada.id, Reviewed(entry=entry, accepted=True, by="desk"))
    world.engine.ask_profile(ada.id, Reviewed(entry=entry, accepted=False, by="desk"))
    assert [entry.state for entry in ada.questions] == ["dismissed"]


def test_two_who_are_alike_are_joined_with_the_confidence_of_that(world: World):
    one, other = seen(world, MAIL), seen(world, CARD)
    decided(world, one, other, source="matching", confidence=0.9995)
    assert joined(one, other)
    assert [(merged.namespace, merged.confidence) for merged in one.profile.ledger] == [("matching", 0.9995)]


def test_a_merge_with_oneself_changes_nothing(world: World):
    ada = seen(world, ("user_id", "ada"), CARD)
    assert world.engine.ask_profile(ada.id, Join(other=ada.id)) == {"asked": False}
    assert ada.profile.ledger == [] and ada.profile.absorbing == []


# -- what turns out later


def test_a_second_value_that_comes_later_offers_to_undo_the_merge_that_it_contradicts():
    world = shop(crm={"kind": "person", "unique": True, "priority": 35})
    ada = seen(world, ("user_id", "ada"), ("crm", "1"))
    seen(world, CARD)
    seen(world, ("user_id", "ada"), CARD)
    seen(world, CARD, ("crm", "2"))
    (entry,) = [entry for entry in ada.questions if entry.kind == "split"]
    assert entry.merge_id == ada.profile.ledger[0].id and entry.reason == "identity.unique"
    assert [link.value for link in ada.profile.identifiers if link.namespace == "crm"] == ["1"]


def test_a_card_of_too_many_people_is_shared_and_what_it_joined_is_offered_for_splitting(world: World):
    people = [seen(world, ("phone", f"+49151123456{number}0")) for number in range(5)]
    for number in range(5):
        seen(world, ("phone", f"+49151123456{number}0"), CARD)
    assert len({who.id for who in people}) == 3, "three are the card's person; from the fourth on it is shared"
    owner = by(world, CARD)
    assert [entry.kind for entry in owner.questions if entry.kind != "merge"] == ["shared", "split", "split", "split"]
    assert {entry.merge_id for entry in owner.questions if entry.kind == "split"} == {
        merged.id for merged in owner.profile.ledger
    }
    assert all(link.shared for who in people for link in who.profile.identifiers if link.namespace == "loyalty_id")


def test_what_a_shared_value_had_joined_is_split_off_where_the_rules_say_so():
    rules = {"identity.yaml": {"splits": {"on_shared": "split", "on_unique": "split"}}}
    world = World(SHOP | rules, shards=2)
    tablet = ("anonymous_id", "tablet")
    visitor = seen(world, tablet, public=True)
    ada = seen(world, ("user_id", "ada"), tablet, public=True)
    assert joined(visitor, ada)
    seen(world, ("user_id", "bob"), tablet, public=True)
    world.advance(minutes=3)
    assert not joined(visitor, ada)
    assert [event.name for event in visitor.profile.history] == ["Seen"]
    assert [(entry.kind, entry.state) for entry in ada.questions] == [("shared", "open"), ("split", "accepted")]
    carl = seen(world, ("user_id", "carl"), tablet, public=True)
    assert not joined(carl, visitor), "the tablet joins nobody any more"
