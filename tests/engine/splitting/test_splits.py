"""One person turns out to be two: a merge is undone, in scenarios."""

from __future__ import annotations

from typing import Any

import pytest
from support.matching import Guest
from support.splitting import differences, record, split
from support.world import CART, World, compiled

from actors.shard.journal import export
from actors.storage import keys
from engine import codec
from engine.contact import addresses
from engine.errors import InvalidInput, NotFound, NotReady, Parked, Parted
from engine.inputs import Erase, Rejoin, Revert, Split
from engine.profile import Profile
from engine.splitting import fields


@pytest.fixture(params=[1, 4], ids=["one shard", "four shards"])
def world(request: pytest.FixtureRequest) -> World:
    return World(CART, shards=request.param)


def plain(profile: Profile) -> Profile:
    """A profile less what tells of the merge and the split themselves."""
    found = codec.decode_record(codec.encode_record(profile))
    assert isinstance(found, Profile)
    found.clock_ms = found.message_seq = found.audit_seq = 0
    found.audit_head, found.moving_to, found.tallied = b"", "", ""
    found.held, found.absorbing, found.split_off, found.parting, found.ledger = [], [], {}, [], []
    found.unlike, found.moving_by = [], None
    if found.touch is not None:
        found.touch.since_ms = 0  # the hand-off that waited for the merge
    return found


def unlike(profile: Profile, was: Profile) -> dict[str, Any]:
    """The fields of two profiles that differ."""
    found = {
        name: (getattr(profile, name), getattr(was, name))
        for name in profile.__struct_fields__
        if getattr(profile, name) != getattr(was, name)
    }
    if profile.history != was.history:
        found["history"] = (profile.history.events, was.history.events)
    return found


def test_with_nothing_in_between_both_come_back_as_they_were(world: World):
    visitor = world.customer(anonymous="laptop")
    visitor.does("Product Added", cart_id="c")
    visitor.consents("marketing", "sms", False)
    ada = world.customer("ada@example.com", consents=("marketing:email",))
    ada.does("Product Added", cart_id="d")
    world.settle()
    both = world.customer("ada@example.com", anonymous="laptop")
    both.does("Page Viewed")
    before = plain(record(world, ada.id)), plain(record(world, visitor.id))
    visitor_id = visitor.id
    world.settle()
    assert both.id == ada.id == visitor.id
    answer = split(world, ada.id)
    assert answer["other"] == visitor_id and answer["unidentified"] == {}
    world.settle()
    assert visitor.id == visitor_id != ada.id
    assert unlike(plain(ada.profile), before[0]) == {}
    assert unlike(plain(visitor.profile), before[1]) == {}
    assert codec.canonical(plain(ada.profile)) == codec.canonical(before[0])
    assert differences(world) == []


def joined(world: World) -> tuple[Any, Any, Any]:
    """A visitor, a person, and both in one."""
    visitor = world.customer(anonymous="laptop")
    visitor.does("Page Viewed")
    ada = world.customer("ada@example.com", consents=("marketing:email",))
    both = world.customer("ada@example.com", anonymous="laptop")
    both.does("Page Viewed")
    world.settle()
    assert ada.id == visitor.id
    return ada, visitor, both


def with_card(world: World) -> tuple[Any, Any]:
    """A known person and a guest with a card, in one."""
    guest, ada = Guest(world, "card"), world.customer("ada@example.com", consents=("marketing:email",))
    guest.does("Page Viewed")
    world.settle()
    ada.does("Page Viewed", identifiers=(("loyalty_id", "card"),))
    world.settle()
    assert ada.id == guest.id
    return ada, guest


def test_what_came_since_goes_by_the_identifiers_that_it_carried(world: World):
    ada, guest = with_card(world)
    guest.does("Product Added", cart_id="v")
    guest.does("Identified", kind="identify", traits={"hat": "red"})
    guest.does("Page Viewed", identifiers=(("device_id", "till"),))
    ada.does("Product Added", cart_id="a")
    ada.identifies(shoe="blue")
    ada.does("Product Viewed", identifiers=(("loyalty_id", "card"),))
    world.settle()
    split(world, ada.id)
    world.settle()
    assert ada.id != guest.id
    assert [run.key for run in guest.profile.runs] == ["v"]
    assert [run.key for run in ada.profile.runs] == ["a"]
    assert guest.profile.trait_values == {"hat": "red"}
    assert ada.profile.trait_values["shoe"] == "blue" and "hat" not in ada.profile.traits
    assert "Product Viewed" in [event.name for event in ada.profile.history]
    assert ("device_id", "till") in [(link.namespace, link.value) for link in guest.profile.identifiers]
    till = world.customer()
    till.does("Order Completed", identifiers=(("device_id", "till"),))
    world.settle()
    assert guest.profile.history[-1].name == "Order Completed"
    assert guest.run("abandoned_cart").ended_by == "stop.purchase"
    world.advance(hours=2)
    assert ada.sends == ["cart_reminder"]
    assert differences(world) == []


def test_a_no_that_was_said_while_they_were_one_holds_for_both(world: World):
    ada, visitor, _ = joined(world)
    visitor.consents("marketing", "email", False)
    split(world, ada.id)
    world.settle()
    for who in (ada, visitor):
        (record_,) = [each for each in who.profile.consent if each.channel == "email"]
        assert not record_.granted


def test_a_no_that_the_other_lifted_again_holds_where_it_was_not_lifted(world: World):
    ada, visitor, _ = joined(world)
    ada.consents("marketing", "email", False)
    world.advance(minutes=1)
    visitor.consents("marketing", "email", True)
    split(world, ada.id)
    world.settle()
    assert [each.granted for each in ada.profile.consent if each.channel == "email"] == [False]
    assert [each.granted for each in visitor.profile.consent if each.channel == "email"] == [True]


def test_a_message_that_left_counts_on_both_sides(world: World):
    ada, visitor, _ = joined(world)
    ada.does("Product Added", cart_id="a")
    world.advance(hours=2)
    assert ada.sends == ["cart_reminder"]
    split(world, ada.id)
    world.settle()
    for who in (ada, visitor):
        assert [bool(place.left_ms) for place in who.profile.places] == [True]


def test_the_two_stay_two_whatever_names_them_together(world: World):
    ada, visitor, both = joined(world)
    split(world, ada.id)
    world.settle()
    both.does("Page Viewed")
    ada.does("Aliased", kind="alias", previous_id="laptop")
    visitor.does("Aliased", kind="alias", previous_id="ada@example.com")
    world.settle()
    world.settle()
    assert ada.id != visitor.id


def test_a_split_can_be_undone_and_that_again(world: World):
    ada, visitor, _ = joined(world)
    visitor.does("Product Added", cart_id="v")
    answer = split(world, ada.id)
    world.settle()
    world.engine.ask_profile(ada.id, Rejoin(merge_id=answer["mergeId"]))
    world.settle()
    assert ada.id == visitor.id
    assert [run.key for run in ada.profile.runs] == ["v"]
    split(world, ada.id)
    world.settle()
    assert ada.id != visitor.id
    assert [run.key for run in visitor.profile.runs] == ["v"]
    assert differences(world) == []


def test_what_was_not_merged_cannot_be_split(world: World):
    ada, _, _ = joined(world)
    before = codec.canonical(ada.profile)
    for merge_id in ("", "00" * 12, "not hex", "x" * 10_000):
        with pytest.raises(NotFound):
            world.engine.ask_profile(ada.id, Split(merge_id=merge_id))
    assert codec.canonical(ada.profile) == before
    merge_id = ada.profile.ledger[-1].id
    split(world, ada.id)
    world.settle()
    with pytest.raises(InvalidInput, match="undone already"):
        world.engine.ask_profile(ada.id, Split(merge_id=merge_id))


def test_a_long_past_that_left_in_pages_goes_back_too(world: World):
    ada, visitor, _ = joined(world)
    for number in range(60):
        (visitor if number % 3 else ada).does("Product Viewed", sku=f"{number}")
        world.advance(minutes=1)
    assert ada.profile.pages
    split(world, ada.id)
    world.settle()
    for who, wanted in ((ada, 0), (visitor, 1)):
        profile = who.profile
        older = world.engine.shard(profile.id).older(profile.id)
        seen = sorted(int(e.properties["sku"]) for e in [*older, *profile.history] if e.name == "Product Viewed")
        assert seen == [number for number in range(60) if bool(number % 3) == bool(wanted)]
        assert profile.spilled == len(older)
    assert differences(world) == []


def test_a_merge_below_later_ones_is_taken_out(world: World):
    """Ada takes in the laptop, then the phone; the laptop turns out to be somebody else's."""
    ada, laptop, _ = joined(world)
    phone = world.customer(anonymous="phone")
    phone.does("Product Added", cart_id="p")
    world.customer("ada@example.com", anonymous="phone").does("Page Viewed")
    world.settle()
    laptop.does("Product Added", cart_id="l")
    world.settle()
    split(world, ada.id, 0)
    world.settle()
    assert phone.id == ada.id != laptop.id
    assert [run.key for run in ada.profile.runs] == ["p"]
    assert [run.key for run in laptop.profile.runs] == ["l"]
    assert differences(world) == []
    split(world, ada.id, 1)
    world.settle()
    assert phone.id != ada.id
    assert [run.key for run in phone.profile.runs] == ["p"]
    assert differences(world) == []


def test_a_merge_that_a_merged_profile_had_made_is_taken_out(world: World):
    """A guest takes in the laptop, and Ada takes in the guest: then the laptop leaves Ada, and then the guest does."""
    guest, laptop, ada = Guest(world, "card"), world.customer(anonymous="laptop"), world.customer("ada")
    laptop.does("Page Viewed")
    guest.does("Page Viewed", anonymous_id="laptop")
    ada.does("Page Viewed")
    world.settle()
    ada.does("Page Viewed", identifiers=(("loyalty_id", "card"),))
    world.settle()
    assert ada.id == guest.id == laptop.id
    laptop.does("Product Added", cart_id="l")
    guest.does("Product Added", cart_id="g")
    split(world, ada.id, 0)
    world.settle()
    assert ada.id == guest.id != laptop.id
    assert [run.key for run in laptop.profile.runs] == ["l"]
    assert [run.key for run in ada.profile.runs] == ["g"]
    assert differences(world) == []
    split(world, ada.id)
    world.settle()
    assert len({guest.id, ada.id, laptop.id}) == 3
    assert [run.key for run in guest.profile.runs] == ["g"]
    assert differences(world) == []


def test_nothing_is_split_while_a_message_is_being_handed_over(world: World):
    ada, _, _ = joined(world)
    ada.does("Product Added", cart_id="a")
    world.advance(minutes=59)
    merge_id = ada.profile.ledger[-1].id

    def take(message: dict[str, Any]) -> str:
        with pytest.raises(NotReady):
            world.engine.ask_profile(ada.id, Split(merge_id=merge_id))
        return "sent"

    world.engine._provider = take
    world.advance(minutes=5)
    assert ada.sends == ["cart_reminder"]
    split(world, ada.id)
    world.settle()
    assert len(world.customer(anonymous="laptop").profile.places) == 1


def test_every_field_of_a_profile_has_a_rule():
    assert set(fields.RULES) == set(Profile.__struct_fields__)


def test_what_is_for_the_other_waits_while_it_is_on_its_way(world: World):
    ada, visitor, _ = joined(world)
    split(world, ada.id)
    world.engine.stage([visitor.event("Product Added", cart_id="late")])
    with pytest.raises(Parked):
        world.engine.ask_profile(ada.id, visitor.event("Product Added", cart_id="later"))
    world.settle()
    world.settle()
    assert [run.key for run in visitor.profile.runs] == ["late"]
    with pytest.raises(Parted):
        world.engine.ask_profile(ada.id, visitor.event("Product Added", cart_id="later"))
    assert differences(world) == []


def test_a_split_rule_undoes_what_a_shared_value_had_joined():
    """Three people use one card; it joins nobody from then on, and whom it had joined are two again."""
    rules = {"namespaces": {"loyalty_id": {"shared_above": 2}}, "splits": {"on_shared": "split"}}
    world = World(compiled(CART | {"identity.yaml": rules}), shards=4)
    card = (("loyalty_id", "card"),)
    guest, ada = Guest(world, "card"), world.customer("ada@example.com")
    guest.does("Page Viewed", identifiers=(("phone", "+4930123456"),))
    world.settle()
    ada.does("Page Viewed", identifiers=card)
    world.settle()
    assert ada.id == guest.id
    for name in ("bob", "cy"):
        who = world.customer(name)
        who.does("Page Viewed")
        who.does("Page Viewed", identifiers=card)
        world.settle()
    world.settle()
    assert [past.undone_ms > 0 for past in ada.profile.ledger] == [True]
    assert differences(world) == []


def test_what_a_source_did_is_undone_by_one_command(world: World):
    ada = world.customer("ada@example.com")
    ada.does("Page Viewed", source="shop")
    world.settle()
    ada.does("Page Viewed", source="thief", public=True, anonymous_id="stolen")
    ada.does("Identified", kind="identify", source="thief", public=True, traits={"hat": "red"})
    ada.does("Page Viewed", source="shop", traits={"shoe": "blue"})
    world.settle()
    thief = world.customer(anonymous="stolen")
    assert thief.id == ada.id
    dry = world.engine.ask_profile(ada.id, Revert(source="thief", dry=True))
    assert dry is not None and dry["identifiers"] == ["anonymous_id:stolen"] and dry["traits"] == ["hat"]
    assert ada.profile.trait_values["hat"] == "red"
    done = world.engine.ask_profile(ada.id, Revert(source="thief"))
    assert done == dry | {"done": True} and done["events"] == 2
    world.settle()
    assert "hat" not in ada.profile.traits and ada.profile.trait_values["shoe"] == "blue"
    thief.does("Product Added", cart_id="t")
    world.settle()
    assert thief.id != ada.id
    assert ada.profile.runs == []
    assert [run.key for run in thief.profile.runs] == ["t"]
    assert differences(world) == []


def test_what_a_source_said_about_an_address_that_another_one_named_is_undone_too(world: World):
    ada = world.customer("ada")
    for source, mail in (("shop", "new@example.com"), ("shop", "ada@example.com"), ("thief", "new@example.com")):
        pairs = (("email", mail),)
        ada.does("Identified", kind="identify", source=source, traits={"email": mail}, identifiers=pairs)
        world.settle()
    assert ada.profile.traits["email"].source == "thief" and addresses.value(ada.profile, "email") == "new@example.com"
    done = world.engine.ask_profile(ada.id, Revert(source="thief"))
    assert done is not None and done["traits"] == ["email"] and done["identifiers"] == []
    assert [link.source for link in ada.profile.identifiers if link.namespace == "email"] == ["shop", "shop"]


def test_who_is_erased_after_a_split_is_erased_at_the_former_survivor_too(world: World):
    ada, guest = with_card(world)
    guest.does("Identified", kind="identify", traits={"secret": "a secret of the guest"})
    world.settle()
    split(world, ada.id)
    world.settle()
    world.engine.ask_profile(guest.id, Erase())
    world.settle()
    for windows in world.engine.windows:
        windows.shard.commit()
        for family in keys.FAMILIES:
            for key, record_ in windows.shard.batch.committed(family):
                if record_[:1] == bytes([codec.VERSION]):
                    assert b"secret" not in codec.unseal(record_), (family, key.hex())
    assert ada.profile.trait_values == {"email": "ada@example.com"}
    assert differences(world) == []


def test_the_export_of_a_person_holds_the_states_around_merges(world: World):
    ada, _, _ = joined(world)
    shard = world.engine.shard(ada.id)
    (row,) = export.part(shard, ada.id, "merges", b"")["rows"]
    assert row["mergeId"] == ada.profile.ledger[-1].id
    assert [name for name in row if name != "mergeId"] == ["before", "other", "after"]
