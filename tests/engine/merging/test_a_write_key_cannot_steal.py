"""Somebody with a write key, which stands in every web page, knows Ada's user id, address, telephone, card and
anonymous id. She is known. He tries everything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.letters import SHOP, says
from support.world import Customer, World, action, document

from engine.contact import addresses
from engine.identity import standing
from engine.inputs import ConsentChange
from engine.seeds import profile_id

MAIL, PHONE, CARD = "ada@shop.example", "+4915112345678", "4711"
HERS = (("email", MAIL), ("phone", PHONE), ("loyalty_id", CARD))


@pytest.fixture(params=[1, 4], ids=["one shard", "four shards"])
def world(request: pytest.FixtureRequest) -> World:
    files = document(actions=[action("receipt", tier="service", purpose="service"), action("offer", channels=["web"])])
    return World(SHOP | {name: file for name, file in files.items() if "offer" in name}, shards=request.param)


def ada_in(world: World) -> Customer:
    ada = world.customer("ada", anonymous="laptop")
    ada.does("Identified", kind="identify", traits={"email": MAIL, "phone": PHONE, "secret": "hers"}, identifiers=HERS)
    ada.does("Looked at something private")
    ada.consents("marketing", "email", False)
    world.advance(minutes=3)
    return ada


def evil(world: World, user: str = "", anonymous: str = "", **fields: Any) -> Callable[[], None]:
    """An event of his under the write key."""

    def happens() -> None:
        who = world.customer(user, anonymous=anonymous)
        who.does(fields.pop("name", "Seen"), **({"public": True, "source": "web"} | fields))

    return happens


def agrees(world: World, *pairs: tuple[str, str]) -> None:
    told = ConsentChange(purpose="marketing", channel="email", granted=True, at_ms=world.now_ms, source="web",
                         identifiers=pairs, public=True)  # fmt: skip
    world.engine.ask(told)


def attempts(world: World) -> list[Callable[[], None]]:
    mine = {"kind": "identify", "traits": {"email": "mallory@evil.example"},
            "identifiers": (("email", "mallory@evil.example"),)}  # fmt: skip
    return [
        evil(world, "", "evil-1"),
        evil(world, "ada", "evil-1"),
        evil(world, "ada", "evil-1", **mine),
        evil(world, "ada", "laptop", **mine),
        evil(world, "", "laptop", **mine),
        evil(world, "mallory", "laptop"),
        evil(world, "mallory", "evil-2", identifiers=HERS),
        evil(world, "", "evil-3", identifiers=HERS, kind="identify", traits={"email": MAIL, "phone": PHONE}),
        evil(world, "ada", "evil-3"),
        *(evil(world, "", f"evil-{namespace}", identifiers=((namespace, value),)) for namespace, value in HERS),
        *(evil(world, "", "", identifiers=(pair, ("device_id", "evil"))) for pair in HERS),
        evil(world, "", "laptop", identifiers=(("device_id", "evil"),)),
        *(
            evil(world, "mallory", "", kind="alias", name="Aliased", previous_id=previous)
            for previous in ("ada", "laptop", MAIL, CARD)
        ),
        evil(world, "", "evil-4", kind="alias", name="Aliased", previous_id="laptop"),
        evil(world, "ada", "", kind="alias", name="Aliased", previous_id="mallory"),
        evil(world, "ada", "", kind="alias", name="Aliased", previous_id="evil-3"),
        lambda: agrees(world, ("user_id", "ada")),
        lambda: agrees(world, ("email", MAIL), ("anonymous_id", "evil-5")),
        lambda: agrees(world, ("anonymous_id", "laptop")),
    ]


def test_nothing_of_hers_is_his(world: World):
    ada = ada_in(world)
    here, known = ada.id, {(link.namespace, link.value) for link in ada.profile.identifiers}
    for attempt in attempts(world):
        attempt()
        world.advance(minutes=1)
    assert ada.id == here and known <= {(link.namespace, link.value) for link in ada.profile.identifiers}
    for who in (world.customer("mallory"), world.customer(anonymous="evil-3")):
        assert who.id != here, "no known profile is joined"
        assert "secret" not in who.profile.traits
        assert "Looked at something private" not in [event.name for event in who.profile.history]
        assert not {"loyalty_id", "user_id"} & {
            link.namespace for link in who.profile.identifiers if link.value != who.user
        }
    for namespace, value in (*HERS, ("user_id", "ada"), ("anonymous_id", "laptop")):
        assert world.engine.resolve(profile_id(world.catalog.id_key, namespace, value)) == here, "no pointer moves"


def test_no_message_is_redirected_and_no_opt_out_lifted(world: World):
    ada = ada_in(world)
    for attempt in attempts(world):
        attempt()
        world.advance(minutes=1)
    assert addresses.value(ada.profile, "email") == MAIL and addresses.value(ada.profile, "phone") == PHONE
    words = [(word.purpose, word.channel, word.granted) for word in ada.profile.consent if not word.address]
    assert ("marketing", "email", False) in words and not any(granted for *_, granted in words)
    before = len(world.mailbox)
    ada.does("Order Completed", order_id="o1")
    world.advance(minutes=3)
    assert [mail["address"] for mail in world.mailbox[before:]] == [MAIL]


def test_what_he_did_is_told_apart_by_its_source(world: World):
    ada = ada_in(world)
    for attempt in attempts(world):
        attempt()
        world.advance(minutes=1)
    new = [link for link in ada.profile.identifiers if link.source == "web"]
    assert new and all(link.public for link in new)
    assert {standing.kind(world.catalog, link.namespace) for link in new if not link.verified} <= {"contact", "device"}
    taken = [merged for merged in ada.profile.ledger if merged.source == "web"]
    assert taken and all(merged.public for merged in taken)
    for merged in taken:
        kinds = {standing.kind(world.catalog, namespace) for namespace, _ in merged.identifiers}
        assert kinds <= {"device"}, "visitors alone, and each can be split off"
        assert merged.id
    assert {event.source for event in ada.profile.history if event.name == "Seen"} == {"web"}


def test_many_strangers_who_name_her_card_do_not_make_it_a_shared_one(world: World):
    ada = ada_in(world)
    for number in range(8):
        evil(world, f"fake-{number}", "", identifiers=HERS)()
        world.advance(minutes=1)
    assert not any(link.shared for link in ada.profile.identifiers)
    assert [entry.kind for entry in ada.questions] == []
    till = world.customer()
    till.does("Order Completed", identifiers=(("loyalty_id", CARD),), order_id="o")
    world.advance(minutes=1)
    assert "Order Completed" in [event.name for event in ada.profile.history]
    says(world.customer("ada"), secret="still hers")
    assert ada.profile.traits["secret"].value == "still hers"
