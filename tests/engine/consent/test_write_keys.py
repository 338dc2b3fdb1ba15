"""What comes under a write key, which anybody may hold: whom it can absorb, and what mail it can have sent."""

from __future__ import annotations

from typing import Any

import pytest
from support.letters import RECEIPT, SHOP, said, says
from support.world import Customer, World, action, document

from engine.contact import addresses
from engine.errors import Moved
from engine.identity import holding
from engine.inputs import Bind, Confirm, ConsentChange, Erase
from engine.seeds import profile_id
from engine.sends import foreign_words


@pytest.fixture(params=[1, 4], ids=["one shard", "four shards"])
def world(request: pytest.FixtureRequest) -> World:
    return World(SHOP, shards=request.param)


def reasons(who: Customer) -> list[str]:
    return [entry.reason for entry in who.timeline if entry.kind == "identity"]


def known(world: World, name: str = "victim", **fields: Any) -> Customer:
    victim = world.customer(name)
    says(victim, email=f"{name}@shop.example", secret="hers", **fields)
    return victim


# -- whom it can absorb


@pytest.mark.parametrize("by", ["track", "alias"])
def test_a_visitor_of_a_strangers_brings_no_yes(world: World, by: str):
    victim, visitor = known(world), world.customer(anonymous="cookie")
    visitor.consents("marketing", "email", True)
    visitor.consents("service", "email", False)
    if by == "track":
        world.customer("victim", anonymous="cookie").does("Seen", public=True)
    else:
        victim.does("Aliased", kind="alias", previous_id="cookie", public=True)
    world.settle()
    assert victim.id == visitor.id
    assert [(word.purpose, word.granted) for word in victim.profile.consent] == [("service", False)]
    assert [word.purpose for word in victim.profile.awaiting] == ["marketing"]
    assert victim.profile.publicly == []


@pytest.mark.parametrize("by", ["track", "alias"])
def test_a_guest_who_has_stated_an_address_joins_nobody_by_a_write_key(world: World, by: str):
    victim, guest = known(world), world.customer(anonymous="cookie")
    says(guest, email="evil@shop.example", public=True)
    if by == "track":
        world.customer("victim", anonymous="cookie").does("Seen", public=True)
    else:
        victim.does("Aliased", kind="alias", previous_id="cookie", public=True)
    world.advance(minutes=1)
    assert victim.id != guest.id
    assert addresses.value(victim.profile, "email") == "victim@shop.example"


@pytest.mark.parametrize("known_before", [True, False])
def test_a_visitor_who_signs_up_brings_what_a_server_said_of_them(world: World, known_before: bool):
    visitor, ada = world.customer(anonymous="cookie"), world.customer("ada", anonymous="cookie")
    visitor.consents("marketing", "email", True)
    if known_before:
        world.customer("ada").does("Seen")
    ada.does("Signed Up", public=not known_before)  # of somebody who is known, a server says so
    world.settle()
    assert [word.purpose for word in ada.profile.consent if word.granted] == ["marketing"]


@pytest.mark.parametrize("previous", ["victim", "victim@shop.example"])
def test_an_alias_takes_no_known_user(world: World, previous: str):
    victim, mallory = known(world), world.customer("mallory")
    mallory.does("Aliased", kind="alias", previous_id=previous, public=True)
    world.settle()
    assert victim.id != mallory.id and "secret" not in mallory.profile.traits
    assert reasons(mallory) == ["write_key.user_id"]
    assert [event.name for event in mallory.profile.history] == ["Aliased"], "the event itself counts"
    victim.does("Seen")
    assert "Seen" in [event.name for event in victim.profile.history]


def test_an_alias_takes_no_user_id_that_nobody_has_yet(world: World):
    world.customer("mallory").does("Aliased", kind="alias", previous_id="to-come", public=True)
    world.settle()
    comer = known(world, "to-come")
    assert comer.id != world.customer("mallory").id


def test_a_visitor_without_a_name_comes_along(world: World):
    visitor = world.customer(anonymous="laptop")
    visitor.does("Product Viewed", public=True)
    ada = world.customer("ada")
    ada.does("Aliased", kind="alias", previous_id="laptop", public=True)
    world.settle()
    assert visitor.id == ada.id
    phone = world.customer(anonymous="phone")
    phone.does("Product Viewed", public=True)
    world.customer("ada", anonymous="phone").does("Seen", public=True)
    world.settle()
    assert phone.id == ada.id and ada.profile.absorbing == []


def test_the_anonymous_id_of_a_customer_stays_with_them(world: World):
    victim = known(world)
    laptop = world.customer(anonymous="laptop")
    world.customer("victim", anonymous="laptop").does("Seen", public=True)
    world.settle()
    for _ in range(3):
        world.customer("mallory", anonymous="laptop").does("Seen", public=True)
        world.settle()
    mallory = world.customer("mallory")
    assert laptop.id == victim.id != mallory.id
    assert reasons(mallory) == ["identity.shared"] and mallory.profile.absorbing == []
    assert len(mallory.profile.history) == 3
    assert all(link.public for link in mallory.profile.identifiers)
    world.customer("mallory", anonymous="laptop").does("Seen")
    world.settle()
    assert laptop.id == victim.id, "whoever says so"


def test_a_user_who_was_made_by_an_anonymous_id_of_theirs_is_not_taken(world: World):
    first = world.customer(anonymous="laptop")
    first.does("Seen", public=True)
    victim = first
    shard = world.engine.shard(victim.id)
    told = victim.event("Seen", user_id="victim")
    shard.tell(victim.id, told)
    shard.commit()
    world.customer("mallory", anonymous="laptop").does("Seen", public=True)
    world.settle()
    mallory = world.customer("mallory")
    assert mallory.id != victim.id and reasons(mallory) == ["identity.shared"]


@pytest.mark.parametrize("namespace", ["email", "phone", "loyalty_id"])
def test_nobody_who_lives_by_an_address_or_a_card_is_claimed(world: World, namespace: str):
    value = "+4915112345678" if namespace == "phone" else "reader@shop.example"
    reader = world.customer()
    reader._names = lambda: ((namespace, value),)  # type: ignore[method-assign]
    reader.consents("marketing", "email", False)
    place = profile_id(world.catalog.id_key, namespace, value)
    mallory = world.customer("mallory")
    mallory.does("Seen", identifiers=((namespace, value),), public=True)
    world.settle()
    assert world.engine.resolve(place) == place
    mallory.does("Seen", identifiers=((namespace, value),), public=True)
    world.settle()
    said_once = ["identity.not_allowed"] if namespace == "loyalty_id" else []
    assert reasons(mallory) == said_once, "an address is known to be theirs too, and joins nobody"
    registered = world.customer("mallory")
    registered.does("Seen", identifiers=((namespace, value),))
    world.settle()
    assert world.engine.resolve(place) == registered.id, "a server key may say so"


def test_nobodys_pointer_is_claimed(world: World):
    victim = known(world)
    place = profile_id(world.catalog.id_key, "email", "victim@shop.example")
    says(world.customer("mallory"), email="victim@shop.example", public=True)
    assert world.engine.resolve(place) == victim.id


# -- what mail it can have sent


def mails(world: World, address: str) -> list[dict[str, Any]]:
    return [mail for mail in world.mailbox if mail["address"] == address]


def orders(who: Customer, count: int, **fields: Any) -> None:
    for _ in range(count):
        who.does("Order Completed", order_id=who.world.message_id(), **fields)


def test_ten_service_messages_a_day_go_to_one_address(world: World):
    ada = world.customer("ada")
    says(ada, email="ada@shop.example")
    orders(ada, 30)
    world.settle()
    assert len(world.mailbox) == 10
    assert set(ada.outcomes("held")) == {("receipt", "cap.service_per_address")}
    world.advance(days=1)
    orders(ada, 2)
    world.settle()
    assert len(world.mailbox) == 12


def test_the_bound_is_a_setting():
    policies = {"service_per_address": 3}
    world = World(document(actions=[action("receipt", tier="service", purpose="service")], journeys=[RECEIPT],
                           policies=policies))  # fmt: skip
    ada = world.customer("ada")
    says(ada, email="ada@shop.example")
    orders(ada, 5)
    world.settle()
    assert len(world.mailbox) == 3
    free = World(document(actions=[action("receipt", tier="service", purpose="service")], journeys=[RECEIPT],
                          policies={"service_per_address": None}))  # fmt: skip
    ada = free.customer("ada")
    says(ada, email="ada@shop.example")
    orders(ada, 30)
    free.settle()
    assert len(free.mailbox) == 30


@pytest.mark.parametrize("at_once", [True, False])
def test_many_users_with_one_unverified_address_share_its_ten(world: World, at_once: bool):
    people = [world.customer(f"user{number}") for number in range(30)]
    for person in people:
        says(person, email="stranger@shop.example", public=True)
    for person in people:
        if at_once:
            world.engine.stage([person.event("Order Completed", order_id="o", public=True)])
        else:
            orders(person, 1, public=True)
    world.advance(minutes=5)
    assert len(mails(world, "stranger@shop.example")) == 10
    held = [reason for person in people for _, reason in person.outcomes("withdrawn") + person.outcomes("held")]
    assert held == ["cap.service_per_address"] * 20
    world.advance(days=1)
    orders(people[-1], 1, public=True)
    world.advance(minutes=5)
    assert len(mails(world, "stranger@shop.example")) == 11


def test_it_is_ten_exactly_where_address_and_orders_come_at_once_on_any_number_of_shards():
    sent = []
    for shards in (1, 3):
        world = World(SHOP, shards=shards)
        people = [world.customer(f"user{number}") for number in range(20)]
        for person in people:
            orders_ = [person.event("Order Completed", order_id=order, public=True) for order in ("o", "p")]
            world.engine.stage([said(person, None, email="stranger@shop.example", public=True), *orders_])
        world.advance(minutes=10)
        sent.append(sorted(mail["send"] for mail in world.mailbox))
    assert len(sent[0]) == 10 and sent[0] == sent[1]


def test_what_leaves_late_counts_from_when_it_left(world: World):
    people = [world.customer(f"user{number}") for number in range(22)]
    for person in people:
        says(person, email="stranger@shop.example", public=True)
    world.provider_says = "retry"
    for person in people[:11]:
        orders(person, 1, public=True)
    world.advance(minutes=10)
    world.provider_says = "sent"
    world.advance(minutes=10)
    assert len(world.mailbox) == 10
    world.advance(hours=23, minutes=45)  # a day after they were decided, and not after they left
    for person in people[11:]:
        orders(person, 1, public=True)
    world.advance(minutes=2)
    assert len(world.mailbox) == 10
    world.advance(hours=1)
    orders(people[-1], 1, public=True)
    world.advance(minutes=2)
    assert len(world.mailbox) == 11


def test_whoever_has_verified_the_address_keeps_a_bound_of_their_own(world: World):
    victim = known(world)
    for number in range(12):
        person = world.customer(f"user{number}")
        says(person, email="victim@shop.example", public=True)
        orders(person, 1, public=True)
    world.advance(minutes=5)
    orders(victim, 1)
    world.advance(minutes=5)
    assert victim.outcomes("sent") == [("receipt", "")]
    assert len(mails(world, "victim@shop.example")) == 11


def test_a_strangers_words_are_cut_in_mail_to_an_unverified_address(world: World):
    ada = world.customer("ada")
    says(ada, email="ada@shop.example", name="Call\nhttps://evil.example now", deep=[{"x": "go to evil.example"}],
         public=True)  # fmt: skip
    orders(ada, 1, note="y" * 100, lines=[{"name": "a\u2028b www.evil.example"}], public=True)
    world.settle()
    (mail,) = world.mailbox
    assert mail["traits"] == {"email": "ada@shop.example", "name": "Call now", "deep": [{"x": "go to"}]}
    assert mail["event"]["note"] == "y" * 59 + "…" and mail["event"]["lines"] == [{"name": "a b"}]


def test_what_a_server_said_is_not_cut_and_a_strangers_words_are_cut_to_a_verified_address_too(
    world: World,
):
    ada = world.customer("ada")
    says(ada, email="ada@shop.example", public=True)
    says(ada, name="See https://shop.example")
    orders(ada, 1, url="https://shop.example/1")
    world.settle()
    (mail,) = world.mailbox
    assert mail["event"]["url"] == "https://shop.example/1" and mail["traits"]["name"] == "See https://shop.example"
    world.engine.ask_profile(ada.id, Confirm(address=profile_id(world.catalog.id_key, "email", "ada@shop.example")))
    orders(ada, 1, url="https://shop.example/2", public=True)
    world.settle()
    assert world.mailbox[-1]["event"]["url"] == ""


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("plain words, 4.50 € (e.g. blue)", "plain words, 4.50 € (e.g. blue)"),
        ("x" * 61, "x" * 59 + "…"),
        ("a\r\nb\x00c\u2029d\u200be", "a b c de"),
        ("HTTP://evil.example", ""),
        ("at evil.example/pay today", "at today"),
        ("<a href='https://evil.example'>here</a>", "<a"),
        ("//evil.example", ""),
        ("mailto:x tel:+49 javascript:alert(1)", ""),
        ("write to x@evil.example", "write to"),
        ("ｅｖｉｌ．ｃｏｍ evil。com ev\u200bil.com", ""),
        ("evil.xn--p1ai пример.рф", ""),
        ("10.0.0.1/x", ""),
        ("हिन्दी.com/pay evil.भारत pay-💰.ws i❤.ws evil.1com", ""),
        ("\\\\evil\\share", ""),
        ("x" * 10_000_000, "x" * 59 + "…"),
    ],
)
def test_what_is_left_of_a_text(text: str, left: str):
    assert foreign_words.cut(text) == left
    assert foreign_words.cut({"a": [text, 1, None, True]}) == {"a": [left, 1, None, True]}


# -- a word by an address


def bound(world: World, granted: bool, address: str = "shared@shop.example") -> None:
    place = profile_id(world.catalog.id_key, "email", address)
    change = ConsentChange(purpose="*", channel="email", granted=granted, at_ms=world.now_ms, source="s", address=place)
    world.engine.ask_profile(place, change)
    shard = world.engine.shard(place)
    told = Bind(change=change, but=world.engine.resolve(place))
    try:
        shard.tell(place, told)
    except Moved as moved:  # erased: the address goes on one epoch later
        shard.tell(moved.to, told)
    shard.commit()
    world.settle()


def words(who: Customer) -> list[tuple[str, bool, bool]]:
    return [(word.purpose, word.granted, bool(word.address)) for word in who.profile.consent]


def test_a_no_by_an_address_reaches_whoever_has_it_now_and_whoever_gets_it_later(world: World):
    ada, bob = world.customer("ada"), world.customer("bob")
    says(ada, email="shared@shop.example")
    says(bob, email="shared@shop.example", public=True)
    bound(world, False)
    assert words(ada) == words(bob) == [("*", False, True)]
    orders(bob, 1)
    world.settle()
    assert world.mailbox == []
    carl = world.customer("carl")
    says(carl, email="shared@shop.example")
    assert words(carl) == [("*", False, True)]
    world.advance(minutes=1)
    bound(world, True)
    assert words(ada) == words(bob) == words(carl) == [("*", True, True)]


def test_strangers_who_claim_an_address_leave_room_for_whom_a_server_says_has_it(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(holding, "_HOLDERS_MAX", 2)
    for number in range(4):
        says(world.customer(f"mallory{number}"), email="shared@shop.example", public=True)
    ada = world.customer("ada")
    says(ada, email="shared@shop.example")
    bound(world, False)
    assert words(ada) == [("*", False, True)]


@pytest.mark.parametrize("public", [True, False])
def test_a_no_by_an_address_that_nobody_has_yet_waits_for_whoever_gets_it(world: World, public: bool):
    place = profile_id(world.catalog.id_key, "email", "shared@shop.example")
    change = ConsentChange(purpose="*", channel="email", granted=False, at_ms=world.now_ms, source="s", address=place,
                           identifiers=(("email", "shared@shop.example"),))  # fmt: skip
    world.engine.ask_profile(place, change)
    ada = world.customer("ada")
    says(ada, email="shared@shop.example", public=public)
    assert words(ada) == [("*", False, True)]


def test_the_erasure_of_another_holder_changes_nothing_for_whom_the_address_points_to(world: World):
    ada, bob, carl = (world.customer(name) for name in ("ada", "bob", "carl"))
    for person in (ada, bob, carl):
        says(person, email="shared@shop.example")
    bound(world, False)
    world.engine.ask_profile(bob.id, Erase())
    world.settle()
    place = profile_id(world.catalog.id_key, "email", "shared@shop.example")
    assert world.engine.resolve(place) == ada.id
    world.advance(minutes=1)
    bound(world, True)
    assert words(ada) == words(carl) == [("*", True, True)]
    late = world.customer("late")
    says(late, email="shared@shop.example")
    assert words(late) == [("*", True, True)]


def test_an_erasure_leaves_the_address_to_whoever_else_has_it(world: World):
    ada, bob = world.customer("ada"), world.customer("bob")
    says(ada, email="shared@shop.example")
    says(bob, email="shared@shop.example")
    world.engine.ask_profile(ada.id, Erase())
    world.settle()
    place = profile_id(world.catalog.id_key, "email", "shared@shop.example")
    assert world.engine.resolve(place) == bob.id
    bound(world, False)
    world.advance(days=1)
    assert words(bob) == [("*", False, True)]
