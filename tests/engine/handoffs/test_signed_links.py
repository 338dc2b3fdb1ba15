"""A click on a link of a message says who follows it: to one device, for a short time, and never of two people one."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from support.world import HOUR, Customer, World, action, cart_journey, document

from actors.delivery.channels.letter import letter
from actors.delivery.channels.rendering import Renderer
from engine import seeds
from engine.inputs import Erase, Revert
from serve.ingest.signed_link import token_in

SHOP = document(
    actions=[action("cart_reminder")],
    journeys=[cart_journey()],
    policies={"links": {"hosts": ["shop.example"], "expires": "2h"}},
) | {"templates/plain.html": '<a href="https://shop.example/cart?utm_source=mail#top">Your cart</a>'}


@pytest.fixture(params=[1, 4], ids=["one shard", "four shards"])
def world(request: pytest.FixtureRequest) -> World:
    return World(SHOP, shards=request.param)


@pytest.fixture
def ada(world: World) -> Customer:
    """She has filled a cart on a computer, and got a reminder by mail an hour later."""
    ada = world.customer("ada@example.com", consents=("marketing:email",))
    ada.does("Product Added", cart_id="c1", product_id="boots")
    world.advance(minutes=61)
    assert ada.sends == ["cart_reminder"]
    return ada


def link_of(world: World) -> str:
    """The address behind the link of the newest message."""
    rendered = letter(world.mailbox[-1], Renderer(world.catalog.templates), "https://engine.example", 1.0)
    start = rendered.html.index('href="') + len('href="')
    return rendered.html[start : rendered.html.index('"', start)].replace("&amp;", "&")


def opens(who: Customer, url: str, channel: str = "app") -> None:
    """A device tells where it was opened."""
    context = {"page": {"url": url}}
    who.does("Application Opened", channel=channel, context=context, link=token_in(context, {}))


def refusals(who: Customer) -> list[str]:
    return [entry.reason for entry in who.timeline if entry.kind == "identity" and entry.outcome == "refused"]


def changes(who: Customer) -> list[tuple[str, str, str]]:
    return [(each.was, each.into, each.by) for each in who.profile.handoffs]


def test_a_click_in_the_mail_takes_the_cart_to_the_app(world: World, ada: Customer):
    url = link_of(world)
    assert url.startswith("https://shop.example/cart?utm_source=mail&sg=") and url.endswith("#top")
    app = world.customer(anonymous="phone")
    world.advance(minutes=12)
    opens(app, url)
    assert app.id != ada.id
    world.advance(minutes=1)
    assert app.id == ada.id
    [found] = ada.profile.handoffs
    assert (found.was, found.into, found.by) == ("email", "app", "link")
    assert found.took_ms == 12 * 60_000 + 50_000
    assert found.ready_ms == 30_000, "asked, merged and taken in: three windows of ten seconds on the replay clock"
    assert set(found.carried) == {"cart", "consent", "history", "traits"}
    opens(app, url)
    world.advance(minutes=1)
    assert len(ada.profile.handoffs) == 1, "the same device opens it again"
    assert refusals(ada) == []


def test_a_link_says_nothing_to_whoever_reads_it(world: World, ada: Customer):
    token = world.mailbox[-1]["link"]["token"]
    payload = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    assert b"ada" not in payload and b"example" not in payload
    places = [seeds.profile_id(b"another key, 32 bytes long......", "email", "ada@example.com"), "ada@example.com"]
    assert not any(place.encode() in payload or _bytes(place) in payload for place in places)
    assert len(token) <= 100


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return text.encode()


def test_a_forwarded_mail_hands_nothing_over(world: World, ada: Customer):
    url = link_of(world)
    opens(world.customer(anonymous="phone"), url)
    world.advance(minutes=1)
    bob = world.customer(anonymous="bobs phone")
    opens(bob, url)
    world.advance(minutes=1)
    assert bob.id != ada.id
    assert refusals(bob) == refusals(ada) == ["link.opened"]
    assert changes(bob) == []
    opens(world.customer(anonymous="cleos phone"), url)
    opens(bob, url)
    world.advance(minutes=1)
    assert refusals(ada) == ["link.opened"], "a link on a public page does not fill her timeline"
    assert refusals(bob) == ["link.opened"]


def test_the_own_computer_uses_the_link_up_too(world: World, ada: Customer):
    url = link_of(world)
    opens(ada, url, channel="web")
    assert changes(ada) == [("email", "web", "link")]
    bob = world.customer(anonymous="bobs phone")
    opens(bob, url)
    world.advance(minutes=1)
    assert (bob.id == ada.id, refusals(bob)) == (False, ["link.opened"])


def test_an_old_link_identifies_nobody(world: World, ada: Customer):
    url, late = link_of(world), world.customer(anonymous="phone")
    world.advance(hours=2)
    opens(late, url)
    opens(late, url)
    world.advance(minutes=1)
    assert late.id != ada.id
    assert refusals(late) == ["link.expired"]
    assert [event.name for event in late.profile.history] == ["Application Opened"] * 2, "the events are kept"


@pytest.mark.parametrize("spoil", [lambda t: t[:-1] + "A", lambda t: t[:40], lambda t: "x" * 300, lambda t: "é%00"])
def test_a_link_that_was_tampered_with_identifies_nobody(world: World, ada: Customer, spoil: Any):
    app, token = world.customer(anonymous="phone"), world.mailbox[-1]["link"]["token"]
    spoilt = spoil(token)
    app.does("Application Opened", channel="app", link=spoilt)
    world.advance(minutes=1)
    assert app.id != ada.id
    assert refusals(app) == ["link.unreadable"]


def test_a_token_of_another_purpose_is_no_link(world: World, ada: Customer):
    app = world.customer(anonymous="phone")
    app.does("Application Opened", channel="app", link=world.mailbox[-1]["opt_out"])
    assert refusals(app) == ["link.unreadable"]


def test_two_known_people_stay_two(world: World, ada: Customer):
    url = link_of(world)
    bob = world.customer("bob")
    opens(bob, url)
    world.advance(minutes=1)
    assert bob.id != ada.id
    assert refusals(bob) == ["link.other_person"]
    assert changes(bob) == changes(ada) == []
    opens(world.customer(anonymous="phone"), url)
    world.advance(minutes=1)
    assert refusals(world.customer(anonymous="phone")) == ["link.opened"], "whoever opens it first uses it up"


def test_a_decision_may_carry_the_link_too(world: World, ada: Customer):
    app = world.customer(anonymous="phone")
    app.decides(link=token_in({"page": {"search": link_of(world).partition("/cart")[2]}}, {}), source="web")
    world.advance(minutes=1)
    assert app.id == ada.id
    assert [merged.source for merged in ada.profile.ledger] == ["web"]


def test_a_decision_of_a_stranger_by_an_old_link_leaves_nobody_behind(world: World, ada: Customer):
    token = world.mailbox[-1]["link"]["token"]
    world.advance(hours=3)
    app = world.customer(anonymous="phone")
    app.decides(link=token)
    assert world.engine.shard(app.id).record(app.id) is None


def test_a_mail_to_an_address_that_nobody_has_verified_carries_no_link(world: World):
    """Else whoever states an address for somebody with a write key would get a link into that person's profile."""
    eve = world.customer("eve")
    eve.consents("marketing", "email", True)
    pairs = (("email", "mallory@example.com"),)
    eve.does("Identified", kind="identify", traits=dict(pairs), identifiers=pairs, public=True)
    eve.does("Product Added", cart_id="c1")
    world.advance(hours=2)
    assert eve.sends == ["cart_reminder"]
    assert world.mailbox[-1]["link"] == {}
    assert link_of(world) == "https://shop.example/cart?utm_source=mail#top"


def test_without_hosts_a_message_stays_as_it_is(world: World):
    plain = World(SHOP | {"policies.yaml": {}})
    ada = plain.customer("ada@example.com", consents=("marketing:email",))
    ada.does("Product Added", cart_id="c1")
    plain.advance(minutes=61)
    assert link_of(plain) == "https://shop.example/cart?utm_source=mail#top"


@pytest.mark.parametrize("comes_again", [True, False], ids=["somebody new is there", "nobody is"])
def test_the_link_of_an_erased_person_leads_to_nobody(world: World, ada: Customer, comes_again: bool):
    url = link_of(world)
    world.engine.ask_profile(ada.id, Erase())
    world.advance(minutes=1)
    if comes_again:
        Customer(world, "ada@example.com", "").does("Page Viewed")
    app = world.customer(anonymous="phone")
    opens(app, url)
    world.advance(minutes=1)
    assert app.id != Customer(world, "ada@example.com", "").id
    assert refusals(app) == ["link.nobody"]
    assert app.profile.touch is not None and not app.profile.touch.asks and app.profile.touch.by == ""


def test_the_link_follows_the_person_into_another_profile(world: World):
    """A guest's mail, opened after the guest has become a user."""
    guest = world.customer(anonymous="desk")
    guest.identifies(email="ada@example.com")
    guest.consents("marketing", "email", True)
    guest.does("Product Added", cart_id="c1")
    world.advance(minutes=61)
    url = link_of(world)
    user = Customer(world, "ada", "desk")
    user.does("Signed Up", identifiers=(("email", "ada@example.com"),))
    world.advance(minutes=1)
    app = world.customer(anonymous="phone")
    opens(app, url)
    world.advance(minutes=1)
    assert app.id == user.id == guest.id
    assert changes(user) == [("email", "app", "link")]


def named(who: Customer, email: str, source: str = "server", *, public: bool = False) -> None:
    """A source names an address for somebody: one that may vouch for it, or a write key that may not."""
    pairs = (("email", email),)
    who.does("Identified", kind="identify", traits=dict(pairs), identifiers=pairs, source=source, public=public)


def link_to_mallory(world: World, user: str = "") -> tuple[Customer, str]:
    """Somebody gets a message of their own, with a link that is signed for them."""
    mallory = world.customer(user, anonymous="mallorys desk")
    named(mallory, "mallory@example.com")
    mallory.consents("marketing", "email", True)
    mallory.does("Product Added", cart_id="m1")
    world.advance(minutes=61)
    assert world.mailbox[-1]["address"] == "mallory@example.com"
    return mallory, world.mailbox[-1]["link"]["token"]


@pytest.mark.parametrize("user", ["", "mallory"], ids=["guest", "person"])
def test_who_knows_the_address_of_a_guest_takes_nothing_over_by_a_link_of_their_own(world: World, user: str):
    """A write key names the guest by the address alone, and says that they have followed the link."""
    mallory, token = link_to_mallory(world, user)
    guest = world.customer(anonymous="adas desk")
    named(guest, "ada@example.com")
    pairs = (("email", "ada@example.com"),)
    world.customer().does("Page Viewed", identifiers=pairs, public=True, link=token)
    world.advance(minutes=1)
    assert guest.id != mallory.id
    assert refusals(guest) == refusals(mallory) == ["link.other_person"]


def test_an_address_that_a_write_key_stated_joins_no_person_with_a_guest(world: World):
    """Whoever can state an address for somebody could hand that person over to the guest who has it."""
    mallory, token = link_to_mallory(world)
    ada = world.customer("ada")
    named(ada, "ada@example.com")
    named(ada, "mallory@example.com", "web", public=True)
    world.advance(minutes=1)
    ada.does("Page Viewed", public=True, link=token)
    world.advance(minutes=1)
    assert ada.id != mallory.id
    assert refusals(ada)[-1] == "link.other_person"


def test_a_guest_who_shows_a_further_address_stays_apart(world: World):
    """A message that was forwarded: the guest at the other end has an address that is not the recipient's."""
    ada, token = link_to_mallory(world)
    guest = world.customer(anonymous="bobs desk")
    named(guest, "mallory@example.com", "web", public=True)
    named(guest, "bob@example.com", "web", public=True)
    world.advance(minutes=1)
    guest.does("Page Viewed", link=token)
    world.advance(minutes=1)
    assert guest.id != ada.id
    assert refusals(guest) == ["link.other_person"]


def test_a_guest_whose_address_is_the_recipients_is_joined(world: World):
    ada, token = link_to_mallory(world)
    guest = world.customer(anonymous="another desk")
    named(guest, "mallory@example.com", "web", public=True)
    world.advance(minutes=1)
    assert guest.id != ada.id
    guest.does("Page Viewed", link=token)
    world.advance(minutes=1)
    assert guest.id == ada.id


def test_what_a_source_joined_by_a_link_is_undone_with_all_else_that_it_did(world: World, ada: Customer):
    app = world.customer(anonymous="phone")
    app.does("Page Viewed", source="web", public=True, link=token_in({"page": {"url": link_of(world)}}, {}))
    world.advance(minutes=1)
    assert app.id == ada.id
    assert [merged.source for merged in ada.profile.ledger] == ["web"]
    answer = world.engine.ask_profile(ada.id, Revert(source="web"))
    assert answer is not None
    assert len(answer["merges"]) == 1
    world.advance(minutes=1)
    assert app.id != ada.id


@pytest.mark.parametrize(
    ("context", "properties", "token"),
    [
        ({"sg": "T"}, {}, "T"),
        ({}, {"sg": "T"}, "T"),
        ({"page": {"search": "?a=1&sg=T"}}, {}, "T"),
        ({"page": {"search": "sg=T&b=2"}}, {}, "T"),
        ({"page": {"url": "https://shop.example/?utm_id=1&sg=T&gclid=2#x"}}, {}, "T"),
        ({}, {"url": "shopapp://cart?sg=T"}, "T"),
        ({"page": {"url": "https://shop.example/#sg=T"}}, {}, ""),
        ({"page": {"url": "https://shop.example/?msg=T"}}, {}, ""),
        ({"page": "sg=T", "sg": 7}, {"url": ["sg=T"]}, ""),
    ],
)
def test_where_a_page_tells_the_token(context: dict[str, Any], properties: dict[str, Any], token: str):
    assert token_in(context, properties) == token


def test_a_long_text_is_no_token_and_is_cut():
    assert len(token_in({"sg": "T" * 10_000}, {})) == 301


def test_every_number_of_shards_gives_the_same_people():
    found = []
    for shards in (1, 3):
        world = World(SHOP, shards=shards)
        ada = world.customer("ada@example.com", consents=("marketing:email",))
        ada.does("Product Added", cart_id="c1")
        world.advance(minutes=61)
        for name in ("phone", "bobs phone"):
            opens(world.customer(anonymous=name), link_of(world))
        world.advance(HOUR)
        dumps = [windows.shard for windows in world.engine.windows]
        found.append({who: shard.record(who) for shard in dumps for who in shard.all_profiles()})
    assert found[0] == found[1]
