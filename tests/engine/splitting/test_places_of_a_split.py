"""Whose a place is after a split: no profile gives away its own, and what comes to a place arrives."""

from __future__ import annotations

from typing import Any

import pytest
from support import splitting
from support.splitting import differences, record
from support.world import CART, ID_KEY, Customer, World, action, cart_journey, compiled, document

from engine import codec, seeds
from engine.errors import NotFound
from engine.frequency import at_addresses
from engine.inputs import Bind, ConsentChange, Erase, Event, Join, Rejoin, Revert, Revive, Split
from engine.profile import Lent, Profile, Tombstone

Identifier = tuple[str, str]
MAIL, CARD, OTHER_CARD = ("email", "a@example.com"), ("loyalty_id", "card"), ("loyalty_id", "other")


@pytest.fixture(params=[1, 4], ids=["one shard", "four shards"])
def world(request: pytest.FixtureRequest) -> World:
    return World(CART, shards=request.param)


class Known(Customer):
    """Somebody whose events carry these identifiers."""

    def __init__(self, world: World, *identifiers: Identifier, name: str = "", anonymous: str = "") -> None:
        super().__init__(world, name, anonymous)
        self._identifiers = identifiers

    def event(self, name: str, **fields: Any) -> Event:
        return super().event(name, **{"identifiers": self._identifiers} | fields)


def comes(world: World, who: Customer, **fields: Any) -> None:
    """An event of somebody, and all that follows from it."""
    world.engine.stage([who.event("Page Viewed", **fields)])
    world.drain()


def split(world: World, profile: str, other: str = "") -> None:
    splitting.split(world, profile, other=other)
    world.drain()


def join(world: World, profile: str, other: str, source: str = "operator") -> None:
    world.engine.ask_profile(profile, Join(other=other, source=source, force=True))
    world.drain()


def erase(world: World, profile: str) -> None:
    world.engine.ask_profile(profile, Erase())
    world.drain()


def arrived_at(world: World, told: Event) -> list[str]:
    """The profiles whose timeline has this event, once all messages have arrived."""
    world.drain()
    return [
        name
        for windows in world.engine.windows
        for name in windows.shard.all_profiles()
        if isinstance(found := windows.shard.record(name), Profile)
        if any(event.message_id == told.message_id for event in found.history)
    ]


def comes_to(world: World, who: Customer) -> list[str]:
    told = who.event("Product Viewed")
    world.engine.stage([told])
    return arrived_at(world, told)


def test_a_profile_keeps_its_own_place_though_the_other_had_asked_for_it(world: World):
    guest = Known(world, MAIL, anonymous="tablet")
    comes(world, guest)
    home = Known(world, MAIL).id
    ada = Known(world, MAIL, CARD, name="ada")
    comes(world, ada, public=True, source="web")
    own = ada.id
    join(world, home, own)
    split(world, own, home)
    assert own not in record(world, home).held
    comes(world, Known(world, MAIL, OTHER_CARD))
    comes(world, Known(world, CARD, MAIL))
    assert own not in record(world, own).split_off
    assert ada.decides()["profileId"] == own
    assert comes_to(world, ada) == [own]


def test_a_split_is_undone_though_both_have_the_address_that_the_other_lives_at(world: World):
    guest, ada = Known(world, MAIL), Known(world, MAIL, CARD, name="ada")
    comes(world, guest)
    comes(world, ada)
    home, own = Known(world, MAIL).id, ada.id
    assert home == own
    split(world, own)
    assert guest.id != own
    (undone,) = record(world, own).ledger
    world.engine.ask_profile(own, Rejoin(merge_id=undone.id))
    world.drain()
    assert guest.id == own
    assert comes_to(world, guest) == [own]


def test_an_erasure_before_a_split_gives_no_place_away(world: World):
    ada, visitor = world.customer("ada"), world.customer(anonymous="laptop")
    comes(world, ada)
    erase(world, ada.id)
    comes(world, ada)
    comes(world, visitor)
    told = world.customer(anonymous="laptop").event("Aliased", kind="alias", previous_id="ada")
    world.engine.stage([told])
    world.drain()
    own = ada.id
    assert visitor.id == own
    split(world, own)
    assert all(place[:-2] != own[:-2] for place in record(world, own).split_off)
    assert ada.decides()["profileId"] == own
    assert comes_to(world, ada) == [own]


def test_who_was_erased_after_a_split_begins_anew(world: World):
    guest, card, both = Known(world, MAIL), Known(world, CARD), Known(world, CARD, MAIL)
    comes(world, guest)
    world.advance(hours=1)
    comes(world, card)
    comes(world, both)
    assert guest.id == card.id
    split(world, card.id)
    assert guest.id != card.id
    own = card.id
    erase(world, guest.id)
    assert record(world, own).split_off == {}
    (found,) = comes_to(world, guest)
    assert found == guest.id
    assert differences(world) == []


def test_nobody_is_kept_apart_from_somebody_new_because_of_the_erased(world: World):
    ada, card, again = Known(world, name="ada"), Known(world, CARD), Known(world, CARD, name="ada")
    comes(world, ada)
    comes(world, card)
    comes(world, again)
    assert card.id == ada.id
    split(world, ada.id)
    assert card.id != ada.id
    erase(world, card.id)
    assert record(world, ada.id).split_off == {}
    assert differences(world) == []
    comes(world, card)
    comes(world, again)
    assert card.id == ada.id
    assert comes_to(world, card) == [ada.id]
    assert differences(world) == []


def test_who_has_taken_in_the_former_survivor_hears_of_the_erasure_too(world: World):
    card, other, ada = Known(world, CARD), Known(world, OTHER_CARD), Known(world, CARD, name="ada")
    comes(world, card)
    world.advance(hours=1)
    comes(world, other)
    join(world, other.id, card.id)
    assert other.id == card.id
    split(world, card.id)
    comes(world, ada)
    assert card.id == ada.id != other.id
    assert other.id in record(world, ada.id).split_off.values()
    erase(world, other.id)
    assert record(world, ada.id).split_off == {}
    assert differences(world) == []


def test_an_erasure_at_the_place_of_an_address_stands_in_its_journal(world: World):
    guest, bob, laptop = Known(world, MAIL), Known(world, MAIL, name="bob"), world.customer(anonymous="laptop")
    comes(world, guest)
    home = guest.id
    comes(world, bob)
    fields = {"kind": "identify", "traits": {"email": MAIL[1]}, "identifiers": (MAIL,)}
    comes(world, laptop, public=True, source="web", **fields)
    assert world.engine.resolve(home) == bob.id
    place = world.engine.shard(home).record(home)
    erased = laptop.id
    assert isinstance(place, Tombstone) and erased in place.holders
    erase(world, erased)
    split(world, bob.id, home)
    assert erased not in record(world, home).holders
    assert differences(world) == []


def test_an_erased_holder_does_not_come_back_with_a_split(world: World):
    """Its id stands in the state that the ledger holds of the address's own profile."""
    guest, bob, laptop = Known(world, MAIL), Known(world, MAIL, name="bob"), world.customer(anonymous="laptop")
    comes(world, guest)
    home = guest.id
    fields = {"kind": "identify", "traits": {"email": MAIL[1]}, "identifiers": (MAIL,)}
    comes(world, laptop, public=True, source="web", **fields)
    erased = laptop.id
    assert erased in record(world, home).holders
    comes(world, bob)
    assert world.engine.resolve(home) == bob.id
    erase(world, erased)
    split(world, bob.id, home)
    assert erased not in record(world, home).holders
    assert differences(world) == []


@pytest.mark.parametrize("first", ["split", "erased"])
def test_a_revert_that_finds_its_merge_undone_already_is_no_fault(world: World, first: str):
    """The profile tells itself to split; somebody is faster than this word."""
    guest, ada = Known(world, CARD), Known(world, CARD, name="ada")
    comes(world, guest)
    comes(world, ada)
    home = ada.id
    (merged,) = record(world, home).ledger
    world.engine.ask_profile(home, Revert(source=merged.source))
    world.engine.ask_profile(home, Split(merge_id=merged.id) if first == "split" else Erase())
    world.drain()
    assert [letter.reason for windows in world.engine.windows for letter in windows.shard.dead.all()] == []
    assert differences(world) == []


def test_a_revert_leaves_an_erased_place_as_it_is(world: World):
    ada = Known(world, MAIL)
    comes(world, ada)
    place = ada.id
    erase(world, place)
    bob = Known(world, MAIL, name="bob")
    comes(world, bob, source="thief", traits={"email": MAIL[1]}, kind="identify")
    world.engine.ask_profile(bob.id, Revert(source="thief"))
    world.drain()
    assert isinstance(world.engine.shard(place).record(place), Tombstone)
    later = place[:-2] + "01"
    assert comes_to(world, ada) == [later]
    assert differences(world) == []


def test_a_device_that_somebody_else_keeps_points_to_nobody_else(world: World):
    """Cy names Bob's tablet and mailbox at once. Bob is asked for both, and answers to each about the mailbox."""
    bob, cy = (Known(world, MAIL, name=name, anonymous="tablet") for name in ("bob", "cy"))
    comes(world, bob)
    comes(world, cy)
    tablet = seeds.profile_id(ID_KEY, "anonymous_id", "tablet")
    assert bob.id != cy.id and tablet not in record(world, cy.id).held
    assert seeds.profile_id(ID_KEY, *MAIL) in record(world, cy.id).held  # he has this address too
    erase(world, bob.id)
    world.engine.ask_profile(cy.id, Revert(source="server"))
    world.drain()
    assert isinstance(world.engine.shard(tablet).record(tablet), Tombstone)
    assert differences(world) == []


@pytest.mark.parametrize("has_heard", [True, False], ids=["heard of", "not yet heard of"])
@pytest.mark.parametrize("is_followed", [True, False], ids=["somebody new", "nobody"])
def test_a_rejoin_joins_nobody_in_place_of_the_erased(world: World, has_heard: bool, is_followed: bool):
    guest, ada = Known(world, CARD), Known(world, CARD, name="ada")
    comes(world, guest)
    comes(world, ada)
    split(world, ada.id)
    other = guest.id
    (merged,) = record(world, ada.id).ledger
    world.engine.ask_profile(other, Erase())
    if is_followed:
        world.engine.ask(guest.event("Page Viewed"))
    if has_heard:
        world.drain()
        with pytest.raises(NotFound, match="the other one was erased since"):
            world.engine.ask_profile(ada.id, Rejoin(merge_id=merged.id))
    else:
        world.engine.ask_profile(ada.id, Rejoin(merge_id=merged.id))
    world.drain()
    assert record(world, ada.id).ledger == []
    assert other[:-2] not in {place[:-2] for place in record(world, ada.id).held}
    assert comes_to(world, guest) == [other[:-2] + "01"]
    refused = [entry.reason for entry in ada.timeline if entry.outcome == "refused"]
    assert refused == ([] if has_heard else ["erased"])
    assert ada.questions == []
    assert differences(world) == []


def test_nobody_comes_back_to_a_place_that_was_erased(world: World):
    ada = Known(world, MAIL)
    comes(world, ada)
    place = ada.id
    erase(world, place)
    bob = Known(world, OTHER_CARD, name="bob")
    comes(world, bob)
    state = codec.encode_record(Profile(place, created_ms=world.now_ms, seq=1))
    assert world.engine.shard(place).deliver(place, Revive(origin=bob.id, merge_id="", state=state), bob.id, 4_000)
    world.drain()
    assert isinstance(world.engine.shard(place).record(place), Tombstone)
    assert comes_to(world, ada) == [place[:-2] + "01"]
    assert differences(world) == []


def test_a_revert_undoes_a_merge_inside_a_merge(world: World):
    ada, bob, visitor = world.customer("ada"), world.customer(anonymous="desk"), world.customer(anonymous="laptop")
    for each in (ada, bob, visitor):
        comes(world, each, source="shop")
    ids = [each.id for each in (ada, bob, visitor)]
    join(world, visitor.id, bob.id, "thief")
    assert visitor.id == bob.id
    join(world, bob.id, ada.id, "thief")
    assert visitor.id == ada.id
    world.engine.ask_profile(ada.id, Revert(source="thief"))
    world.drain()
    assert [world.engine.resolve(each) for each in ids] == ids
    assert differences(world) == []


@pytest.mark.parametrize("shards", [1, 4])
def test_a_message_counts_once_after_a_split_and_a_rejoin(shards: int):
    policies = {"caps": [{"id": "mails", "limit": 3, "per": "7d", "match": {"channel": "email"}}]}
    catalog = document(actions=[action("cart_reminder")], journeys=[cart_journey()], policies=policies)
    world = World(catalog, shards=shards)
    ada, card = world.customer("ada@example.com", consents=("marketing:email",)), Known(world, CARD)
    comes(world, card)
    comes(world, ada, identifiers=(CARD,))
    assert card.id == ada.id
    ada.does("Product Added", cart_id="c")
    world.advance(hours=2)
    assert len(world.mailbox) == 1
    for _ in range(2):
        split(world, ada.id)
        undone = [past for past in ada.profile.ledger if past.undone_ms]
        world.engine.ask_profile(ada.id, Rejoin(merge_id=undone[-1].id))
        world.drain()
        assert card.id == ada.id
        assert [place.ref for place in ada.profile.places] == [world.mailbox[0]["send"]]
        assert ada.shown["caps"][0]["used"] == 1


def test_a_place_that_somebody_only_asked_for_stays_with_whom_a_split_gave_it_to(world: World):
    guest, ada, laptop = Known(world, CARD, MAIL), world.customer("ada"), world.customer(anonymous="laptop")
    comes(world, guest)
    comes(world, ada, identifiers=(CARD,))
    assert guest.id == ada.id
    place = seeds.profile_id(world.catalog.id_key, *MAIL)
    split(world, ada.id)
    assert record(world, ada.id).split_off[place] == guest.id
    comes(world, laptop, kind="identify", public=True, source="web", traits={"email": MAIL[1]}, identifiers=(MAIL,))
    assert place in record(world, laptop.id).held and place not in record(world, laptop.id).owns
    join(world, laptop.id, ada.id)
    assert laptop.id == ada.id
    assert record(world, ada.id).split_off[place] == guest.id
    assert comes_to(world, Known(world, MAIL)) == [guest.id]
    assert differences(world) == []


def test_a_revert_hands_back_no_place_that_points_to_somebody_else(world: World):
    bob, ada = Known(world, MAIL, name="bob"), world.customer("ada")
    comes(world, bob, kind="identify", source="shop", traits={"email": MAIL[1]})
    comes(world, ada, source="shop")
    comes(world, ada, kind="identify", public=True, source="thief", traits={"email": MAIL[1]}, identifiers=(MAIL,))
    place = seeds.profile_id(world.catalog.id_key, *MAIL)
    assert place in record(world, ada.id).held and world.engine.resolve(place) == bob.id != ada.id
    world.engine.ask_profile(ada.id, Revert(source="thief"))
    world.drain()
    assert world.engine.resolve(place) == bob.id
    assert record(world, ada.id).held == [] and record(world, ada.id).split_off == {}
    assert comes_to(world, Known(world, MAIL)) == [bob.id]
    assert differences(world) == []


def mailbox_says_no(world: World, who: Customer) -> None:
    """An opt-out by a link in a mail."""
    place = seeds.profile_id(world.catalog.id_key, *MAIL)
    said = ConsentChange(
        purpose="marketing", channel="email", granted=False, at_ms=world.now_ms, source="link", address=place
    )
    world.engine.shard(place).tell(place, Bind(change=said))
    world.drain()
    assert granted(who) == [False]
    world.advance(minutes=1)


def granted(who: Customer) -> list[bool]:
    return [record.granted for record in who.profile.consent if record.channel == "email"]


@pytest.mark.parametrize("is_before", [True, False], ids=["lifted before the merge", "lifted since"])
@pytest.mark.parametrize("is_own", [True, False], ids=["of the survivor", "of the other"])
def test_a_no_of_an_address_that_was_lifted_does_not_come_back_by_a_split(world: World, is_before: bool, is_own: bool):
    ada, visitor = world.customer("ada"), Known(world, CARD)
    owner, other = (ada, visitor) if is_own else (visitor, ada)
    comes(world, visitor, source="shop")
    comes(world, ada, source="shop")
    own_place = (MAIL,) if is_own else (CARD, MAIL)
    comes(world, owner, kind="identify", traits={"email": MAIL[1]}, identifiers=own_place)
    if is_before:
        mailbox_says_no(world, owner)
        yes(world, owner)
    join(world, visitor.id, ada.id)
    assert visitor.id == ada.id
    if not is_before:
        mailbox_says_no(world, owner)
        yes(world, owner)
    for _ in range(2):
        split(world, ada.id)
        world.settle()
        assert visitor.id != ada.id
        assert granted(owner) == [True]
        assert granted(other) == ([] if is_before else [False]), "the other one has lifted nothing"
        undone = [past for past in ada.profile.ledger if past.undone_ms]
        world.engine.ask_profile(ada.id, Rejoin(merge_id=undone[-1].id))
        world.drain()
        if not is_before:
            break
    assert differences(world) == []


def yes(world: World, who: Customer) -> None:
    named = who.event("?").identifiers or (("user_id", "ada"),)
    told = ConsentChange(
        purpose="marketing", channel="email", granted=True, at_ms=world.now_ms, source="shop", identifiers=named
    )
    world.engine.ask(told)
    world.drain()
    assert granted(who) == [True]


@pytest.mark.parametrize("shards", [1, 4])
def test_what_tires_counts_once_after_a_split_and_a_rejoin(shards: int):
    policies = {"fatigue": {"half_life": "7d", "seen": 0.1, "dismissed": 0.3, "clicked": 0.1}}
    banner = action("banner", channels=["web"], placements=["home_hero"], purpose="service", category="news")
    world = World(document(actions=[banner], policies=policies), shards=shards)
    ada, visitor = world.customer("ada@example.com"), Known(world, CARD, anonymous="laptop")
    for who in (ada, visitor):
        comes(world, who)
        who.sees(who.decides()["actions"][0])
    comes(world, ada, identifiers=(CARD,))
    assert visitor.id == ada.id and tired(ada) == pytest.approx(0.2)
    ada.sees(ada.decides()["actions"][0])
    for times in range(2):
        split(world, ada.id)
        assert visitor.id != ada.id
        assert [tired(ada), tired(visitor)] == pytest.approx([(0.3, 0.4)[times]] * 2, abs=1e-3)
        for who in (ada, visitor):
            who.sees(who.decides()["actions"][0])
        undone = [past for past in ada.profile.ledger if past.undone_ms]
        world.engine.ask_profile(ada.id, Rejoin(merge_id=undone[-1].id))
        world.drain()
        assert visitor.id == ada.id
        assert tired(ada) == pytest.approx(0.5 + times * 0.2, abs=1e-3)
    assert differences(world) == []


def tired(who: Customer) -> float:
    return float(who.shown["fatigue"]["news"])


def test_a_run_goes_on_once_where_both_get_what_no_identifier_tells():
    """Else the same person would get its message twice, and a rejoin would bring the run into one profile twice."""
    world = World(compiled(CART | {"identity.yaml": {"splits": {"unidentified": "both"}}}), shards=4)
    phone = ("phone", "+4930123456")
    ada, laptop = Known(world, phone, name="ada"), world.customer(anonymous="laptop")
    comes(world, ada)
    comes(world, laptop)
    own, other = ada.id, laptop.id
    stated = {"kind": "identify", "traits": {"phone": phone[1]}, "identifiers": (phone,)}
    comes(world, laptop, public=True, source="web", **stated)
    join(world, other, own)
    assert laptop.id == own
    Known(world, phone).does("Product Added", cart_id="c")
    world.settle()
    (run,) = record(world, own).runs
    merges = record(world, own).ledger
    answer = world.engine.ask_profile(own, Split(merge_id=merges[-1].id))
    assert answer is not None and "runs" in answer["unidentified"]
    world.settle()
    assert laptop.id == other
    assert [each.id for each in record(world, own).runs] == [run.id]
    assert record(world, other).runs == []


def test_what_was_lent_counts_once_and_from_when_it_left():
    """A split leaves it to both sides; only the one that counts for the address hears that it has left."""
    profile = Profile("one", lent=[Lent("send", "place", 10)])
    at_addresses.take_over(profile, (Lent("send", "place", 10, left_ms=20), Lent("other", "place", 5)))
    assert [(each.ref, each.left_ms) for each in profile.lent] == [("other", 0), ("send", 20)]
