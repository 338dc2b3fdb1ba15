"""`docs/addresses.md`: which address is current, a test for each of its sentences, by number."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.letters import SHOP, said, says
from support.world import DAY, HOUR, START_MS, Customer, World

from engine.contact import addresses
from engine.errors import InvalidInput
from engine.inputs import Confirm, Revert
from engine.seeds import profile_id
from engine.values.identifiers import canonical

PAGE = Path(__file__).resolve().parents[3] / "docs" / "addresses.md"


@pytest.fixture(params=[1, 4], ids=["one shard", "four shards"])
def world(request: pytest.FixtureRequest) -> World:
    return World(SHOP, shards=request.param)


def address(who: Customer, namespace: str = "email") -> str | None:
    return addresses.value(who.profile, namespace)


def agrees(who: Customer, wanted: str | None) -> None:
    """The address, the trait where one was stated, and the mail are one."""
    assert address(who) == wanted
    if "email" in who.profile.traits and wanted is not None:
        assert canonical("email", who.profile.traits["email"].value) == wanted
    before = len(who.world.mailbox)
    who.does("Order Completed", order_id=who.world.message_id())
    who.world.advance(minutes=1)  # whoever has an address by a write key's word alone asks its place for room
    assert [mail["address"] for mail in who.world.mailbox[before:]] == ([wanted] if wanted else [])


def test_every_sentence_of_the_page_has_a_test():
    numbers = re.findall(r"^(\d+)\. ", PAGE.read_text("utf-8"), re.MULTILINE)
    tests = re.findall(r"^def test_(\d+)_", Path(__file__).read_text("utf-8"), re.MULTILINE)
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    assert sorted(set(map(int, tests))) == list(map(int, numbers))


@pytest.mark.parametrize("public", [True, False])
def test_1_an_identify_states_the_address(world: World, public: bool):
    ada = world.customer("ada")
    says(ada, email="Old@Shop.Example", public=public)
    agrees(ada, "old@shop.example")
    world.advance(minutes=1)
    says(ada, email="new@shop.example", public=public)
    agrees(ada, "new@shop.example")


@pytest.mark.parametrize("public", [True, False])
def test_2_what_rides_along_in_context_does_not_bring_an_old_address_back(world: World, public: bool):
    ada = world.customer("ada")
    says(ada, email="old@shop.example", public=public)
    world.advance(minutes=1)
    says(ada, email="new@shop.example", public=public)
    world.advance(minutes=1)
    says(ada, email="old@shop.example", kind="track", public=public)
    agrees(ada, "new@shop.example")
    says(ada, email="third@shop.example", kind="track", public=public)
    agrees(ada, "new@shop.example")
    assert [link.value for link in ada.profile.identifiers if link.namespace == "email"] == [
        "old@shop.example", "new@shop.example", "third@shop.example",
    ]  # fmt: skip


def test_3_where_nothing_was_stated_the_first_mention_that_came_last_counts(world: World):
    ada = world.customer("ada")
    for at_ms, email in ((1, "one@shop.example"), (2, "two@shop.example"), (3, "one@shop.example")):
        says(ada, START_MS - HOUR + at_ms, email=email, kind="track", public=True)
    agrees(ada, "two@shop.example")
    says(ada, START_MS - DAY, email="one@shop.example", public=True)
    agrees(ada, "one@shop.example")


@pytest.mark.parametrize("told", [None, "", "not an address", 7, ["a@shop.example"], "ada@"])
@pytest.mark.parametrize("public", [True, False])
def test_4_null_and_what_cannot_be_read_mean_no_address_and_never_the_old_one(world: World, told: Any, public: bool):
    ada = world.customer("ada")
    says(ada, email="old@shop.example", public=public)
    world.advance(minutes=1)
    says(ada, email=told, public=public)
    agrees(ada, None)
    says(ada, email="old@shop.example", kind="track", public=public)
    agrees(ada, None)
    assert ("receipt", "fit.no_email") in ada.outcomes("held")
    says(ada, email="new@shop.example", public=public)
    agrees(ada, "new@shop.example")


def test_5_a_late_word_does_not_take_over_and_of_equal_times_the_later_arrival_counts(world: World):
    ada = world.customer("ada")
    says(ada, email="new@shop.example")
    says(ada, START_MS - DAY, email="old@shop.example")
    agrees(ada, "new@shop.example")
    at_ms = world.now_ms
    says(ada, at_ms, email="one@shop.example")
    says(ada, at_ms, email="two@shop.example")
    agrees(ada, "two@shop.example")


def test_6_a_clock_that_runs_ahead_makes_no_address_last(world: World):
    ada = world.customer("ada")
    shard = world.engine.shard(ada.id)
    shard.tell(ada.id, said(ada, world.now_ms + 4 * 60_000, email="ahead@shop.example"))
    shard.commit()
    world.advance(minutes=1)
    says(ada, email="new@shop.example")
    agrees(ada, "new@shop.example")


def test_7_a_write_key_replaces_no_verified_address(world: World):
    ada = world.customer("ada")
    says(ada, email="ada@shop.example")
    world.advance(minutes=1)
    for told in ("mallory@evil.example", None, "no address"):
        says(ada, email=told, public=True)
        agrees(ada, "ada@shop.example")
    refused = [entry for entry in ada.timeline if entry.kind == "identity"]
    assert [(entry.outcome, entry.reason) for entry in refused] == [("refused", "address.unverified")]
    says(ada, email="mallory@evil.example", public=True)
    assert len([entry for entry in ada.timeline if entry.kind == "identity"]) == 1, "said once"
    says(ada, email="new@shop.example")
    agrees(ada, "new@shop.example")


@pytest.mark.parametrize("kind", ["identify", "track"])
def test_7_nor_one_that_a_server_only_mentioned(world: World, kind: str):
    ada = world.customer("ada")
    says(ada, email="ada@shop.example", kind="track")
    world.advance(minutes=1)
    says(ada, email="mallory@evil.example", public=True, kind=kind)
    agrees(ada, "ada@shop.example")


@pytest.mark.parametrize("kind", ["identify", "track"])
@pytest.mark.parametrize("days", [1, 0, -1], ids=["a day older", "at once", "a day later"])
@pytest.mark.parametrize("told", ["mallory@evil.example", None, "no address"])
def test_7_nor_does_it_hold_off_one_that_is_verified_later(world: World, kind: str, days: int, told: Any):
    ada = world.customer("ada")
    world.advance(days=2)
    says(ada, email=told, public=True)
    word = said(ada, world.now_ms - max(days, 0) * DAY, email="ada@shop.example", kind=kind)
    world.advance(days=max(-days, 0), hours=1)
    ada.tell(msgspec.structs.replace(word, imported=True))
    world.settle()
    agrees(ada, "ada@shop.example")
    says(ada, email="mallory@evil.example", public=True)
    agrees(ada, "ada@shop.example")


def test_7_nor_one_that_both_have_named_and_a_server_verifies(world: World):
    ada = world.customer("ada")
    says(ada, email="ada@shop.example", public=True)
    world.advance(minutes=1)
    says(ada, email="mallory@evil.example", public=True)
    says(ada, email="ada@shop.example", kind="track")
    agrees(ada, "ada@shop.example")


def test_7_nor_when_another_source_s_word_is_taken_back(world: World):
    ada = world.customer("ada")
    ada.does("Seen")
    world.advance(days=2)
    says(ada, email="mallory@evil.example", public=True)
    ada.tell(msgspec.structs.replace(said(ada, world.now_ms - DAY, email="ada@shop.example"), source="shop"))
    ada.tell(msgspec.structs.replace(said(ada, email="wrong@shop.example"), source="crm"))
    world.settle()
    world.engine.ask_profile(ada.id, Revert(source="crm"))
    agrees(ada, "ada@shop.example")


def test_7_but_a_server_s_word_that_there_is_none_gives_way_to_a_later_one(world: World):
    ada = world.customer("ada")
    says(ada, email=None)
    world.advance(minutes=1)
    says(ada, email="ada@shop.example", public=True)
    agrees(ada, "ada@shop.example")
    says(ada, START_MS - DAY, email=None)
    agrees(ada, "ada@shop.example")


def test_8_a_confirmed_address_is_verified_and_takes_the_place_of_one_that_is_not(world: World):
    ada = world.customer("ada")
    says(ada, email="ada@shop.example", public=True)
    world.advance(minutes=1)
    says(ada, email="mallory@evil.example", public=True)
    place = profile_id(world.catalog.id_key, "email", "ada@shop.example")
    world.advance(minutes=1)
    assert world.engine.ask_profile(ada.id, Confirm(address=place)) == {"confirmed": True}
    agrees(ada, "ada@shop.example")
    says(ada, email="mallory@evil.example", public=True)
    agrees(ada, "ada@shop.example")
    assert world.engine.ask_profile(ada.id, Confirm(address=ada.id)) == {"confirmed": False}


@pytest.mark.parametrize("verified", ["visitor", "user", "neither"])
def test_9_when_two_become_one_the_verified_word_counts_and_else_the_later_one(world: World, verified: str):
    visitor, ada = world.customer(anonymous="laptop"), world.customer("ada")
    says(visitor, email="visitor@shop.example", public=verified != "visitor")
    world.advance(minutes=1)
    says(ada, email="user@shop.example", public=verified != "user")
    ada.does("Aliased", kind="alias", previous_id="laptop")
    world.settle()
    agrees(ada, "visitor@shop.example" if verified == "visitor" else "user@shop.example")


def test_9_what_a_visitor_stated_later_counts_for_what_happens_from_then_on(world: World):
    visitor, ada = world.customer(anonymous="laptop"), world.customer("ada")
    says(ada, email="user@shop.example", public=True)
    world.advance(minutes=1)
    says(visitor, email="visitor@shop.example", public=True)
    ada.does("Order Placed", order_id="o")
    world.advance(minutes=1)
    ada.does("Aliased", kind="alias", previous_id="laptop")
    world.advance(hours=2)
    assert world.mailbox == []
    assert ("receipt", "fit.unverified_email") in ada.outcomes("held")
    agrees(ada, "visitor@shop.example")


def test_10_an_unverified_address_gets_nothing_about_what_happened_before_it(world: World):
    ada = world.customer("ada")
    says(ada, email="ada@shop.example", public=True)
    ada.does("Order Placed", order_id="o1")
    world.advance(minutes=10)
    says(ada, START_MS, email="mallory@evil.example", public=True)
    world.advance(hours=2)
    assert world.mailbox == []
    assert ada.outcomes("held") == [("receipt", "fit.unverified_email")]
    agrees(ada, "mallory@evil.example")


def test_10_nor_what_was_decided_and_waits_for_its_provider(world: World):
    ada = world.customer("ada")
    says(ada, email="ada@shop.example", public=True)
    world.provider_says = "retry"
    ada.does("Order Completed", order_id="o1")
    world.settle()
    says(ada, email="mallory@evil.example", public=True)
    world.provider_says = "sent"
    world.advance(hours=2)
    assert world.mailbox == []
    assert ada.outcomes("withdrawn") == [("receipt", "fit.unverified_email")]


def test_10_nor_what_happened_before_and_arrives_after(world: World):
    ada = world.customer("ada")
    says(ada, email="ada@shop.example", public=True)
    world.advance(minutes=10)
    says(ada, START_MS + 1, email="mallory@evil.example", public=True)
    ada.does("Order Completed", order_id="o1", at_ms=world.now_ms - 5 * 60_000)
    world.settle()
    assert world.mailbox == []


def test_10_a_guest_who_signs_up_still_hears_of_the_order(world: World):
    guest = world.customer(anonymous="laptop")
    says(guest, email="ada@shop.example", public=True)
    guest.does("Order Placed", order_id="o1", public=True)
    world.advance(minutes=10)
    says(world.customer("ada", anonymous="laptop"), email="ada@shop.example", public=True)
    world.advance(hours=2)
    assert [mail["address"] for mail in world.mailbox] == ["ada@shop.example"]


def test_10_a_verified_one_gets_it(world: World):
    ada = world.customer("ada")
    says(ada, email="ada@shop.example")
    ada.does("Order Placed", order_id="o1")
    world.advance(minutes=10)
    says(ada, email="new@shop.example")
    world.advance(hours=2)
    assert [mail["address"] for mail in world.mailbox] == ["new@shop.example"]


def test_the_200th_identifier_is_the_last_that_a_write_key_adds(world: World):
    ada = world.customer("ada")
    says(ada, email="ada@shop.example")
    world.engine.stage([said(ada, None, email=f"x{number}@shop.example", public=True) for number in range(300)])
    world.settle()
    assert len(ada.profile.identifiers) == 200 and len(ada.profile.told) == 199
    says(ada, email="new@shop.example")
    agrees(ada, "new@shop.example")
    assert len(ada.profile.identifiers) == 200


def why(who: Customer) -> tuple[str, str]:
    (link,) = [link for link in who.shown["identifiers"] if link.get("current")]
    return link["why"], link["since"]


def test_14_the_profile_says_which_is_current_and_why(world: World):
    ada = world.customer("ada")
    says(ada, START_MS, email="one@shop.example", kind="track", public=True)
    assert why(ada) == ("mentioned", "2026-03-02T00:00:00.000Z")
    says(ada, email="one@shop.example", public=True)
    assert why(ada)[0] == "stated"
    world.advance(hours=2)
    place = profile_id(world.catalog.id_key, "email", "one@shop.example")
    world.engine.ask_profile(ada.id, Confirm(address=place))
    assert why(ada)[0] == "confirmed"
    says(ada, email="two@shop.example", public=True)
    assert why(ada)[0] == "confirmed"
    bob = world.customer("bob")
    says(bob, email="bob@shop.example")
    world.advance(hours=1)
    says(bob, email="mallory@evil.example", public=True)
    assert why(bob)[0] == "verified"
    shown = {link["value"]: link.get("current") for link in bob.shown["identifiers"]}
    assert shown == {"bob": None, "bob@shop.example": True, "mallory@evil.example": False}


def limited(count: int, **limit: Any) -> World:
    return World(SHOP | {"identity.yaml": {"namespaces": {"email": {"limit": {"count": count, **limit}}}}})


def emails(who: Customer) -> list[str]:
    return [link.value for link in who.profile.identifiers if link.namespace == "email"]


@pytest.mark.parametrize("public", [True, False])
def test_15_the_oldest_unused_address_makes_room_for_a_new_one(public: bool):
    world = limited(2)
    ada = world.customer("ada")
    for name in ("one", "two", "three"):
        says(ada, email=f"{name}@shop.example", public=public)
        world.advance(minutes=1)
    assert emails(ada) == ["two@shop.example", "three@shop.example"]
    says(ada, email="four@shop.example", kind="track", public=public)
    assert emails(ada) == ["three@shop.example", "four@shop.example"]
    agrees(ada, "three@shop.example")


def test_15_a_stated_address_takes_the_place_of_the_only_one():
    world = limited(1)
    ada = world.customer("ada")
    says(ada, email="one@shop.example")
    says(ada, email="rode@shop.example", kind="track")
    assert emails(ada) == ["one@shop.example"]
    says(ada, email="two@shop.example")
    assert emails(ada) == ["two@shop.example"]
    says(ada, email="mallory@evil.example", public=True)
    assert emails(ada) == ["two@shop.example"]
    agrees(ada, "two@shop.example")


def test_15_not_where_a_message_is_under_way_and_not_outside_the_window():
    world = limited(1, within="30d")
    world.provider_says = "retry"
    ada = world.customer("ada")
    says(ada, email="one@shop.example")
    ada.does("Order Completed", order_id="o")
    world.settle()
    says(ada, email="two@shop.example")
    assert emails(ada) == ["one@shop.example", "two@shop.example"]
    world.provider_says = "sent"
    world.advance(days=31)
    says(ada, email="three@shop.example")
    assert emails(ada)[-1] == "three@shop.example" and len(emails(ada)) == 3


def test_11_what_was_kept_before_there_was_a_difference_counts_as_verified(world: World):
    ada = world.customer("ada")
    says(ada, email="ada@shop.example", public=True)
    (link,) = (link for link in ada.profile.identifiers if link.namespace == "email")
    old = type(link)(link.namespace, link.value, link.first_seen_ms, link.last_seen_ms)
    assert old.verified


def at_home(country: str = "DE") -> World:
    return World(SHOP | {"policies.yaml": {"workspace": {"country": country}}})


@pytest.mark.parametrize("public", [True, False])
@pytest.mark.parametrize("told", ["0171 1234567", "(0171) 123-4567", "0049 171 1234567", "+49 171 1234567", 1711234567])
def test_12_a_telephone_is_read_as_people_write_it_at_home(public: bool, told: Any):
    ada = at_home().customer("ada")
    says(ada, phone=told, public=public)
    assert address(ada, "phone") == "+491711234567"
    assert ada.shown["traits"]["phone"] == told and "unusableAddresses" not in ada.shown


@pytest.mark.parametrize("traits", [{"country": "at"}, {"address": {"country": "AT"}}, {"country": "AT", "address": 7}])
def test_12_and_where_the_person_lives_elsewhere_there(traits: dict[str, Any]):
    ada = at_home().customer("ada")
    says(ada, phone="0660 1234567", **traits)
    assert address(ada, "phone") == "+436601234567"


def test_12_and_without_a_country_it_is_none(world: World):
    ada = world.customer("ada")
    says(ada, phone="0171 1234567", country="nowhere")
    assert address(ada, "phone") is None


WITHOUT_PLUS = {
    "DE": ("491711234567", "+491711234567"),
    "AT": ("436641234567", "+436641234567"),
    "CH": ("41791234567", "+41791234567"),
    "GB": ("447911123456", "+447911123456"),
    "FR": ("33612345678", "+33612345678"),
    "IT": ("393471234567", "+393471234567"),
    "US": ("14155552671", "+14155552671"),
    "IN": ("919876543210", "+919876543210"),
}


@pytest.mark.parametrize("country", WITHOUT_PLUS)
def test_12_a_country_code_without_its_plus_is_the_country_code_at_home(country: str):
    digits, wanted = WITHOUT_PLUS[country]
    for told in (digits, int(digits), f"{digits[:2]} {digits[2:5]} {digits[5:]}"):
        ada = at_home(country).customer("ada")
        says(ada, phone=told)
        assert address(ada, "phone") == wanted and "unusableAddresses" not in ada.shown


@pytest.mark.parametrize("country", WITHOUT_PLUS)
def test_12_and_no_telephone_of_a_stranger_where_it_is_another_s(country: str):
    for other, (digits, _) in WITHOUT_PLUS.items():
        if other != country:
            ada = at_home(country).customer("ada")
            says(ada, phone=digits)
            assert address(ada, "phone") is None
            assert [each["namespace"] for each in ada.shown["unusableAddresses"]] == ["phone"]


def test_12_what_can_be_both_is_none_and_says_so():
    with pytest.raises(InvalidInput, match="may be one of DE, or one of another country without"):
        canonical("phone", "447911123456", "DE")
    assert canonical("phone", "13012345678", "CN") == "+8613012345678", "nobody writes a 0 there"
    assert canonical("phone", "3281234567", "IT") == "+393281234567", "+32 81234567 is one too, and nobody's there"
    assert canonical("phone", "9876543210", "IN") == "+919876543210"


@pytest.mark.parametrize(
    ("told", "country", "wanted"),
    [
        ("06 12 34 56 78", "France", "+33612345678"),
        ("06 12 34 56 78", "fra", "+33612345678"),
        ("415-555-2671", "USA", "+14155552671"),
        ("415-555-2671", "United States", "+14155552671"),
        ("415-555-2671", "U.S.", "+14155552671"),
        ("07911 123456", "the United Kingdom", "+447911123456"),
        ("0171 1234567", "  ", "+491711234567"),
        ("0171 1234567", None, "+491711234567"),
    ],
)
def test_12_a_country_is_said_by_its_codes_or_its_name(told: str, country: Any, wanted: str):
    for traits in ({"country": country}, {"address": {"country": country}}):
        ada = at_home().customer("ada")
        says(ada, phone=told, **traits)
        assert address(ada, "phone") == wanted and "unusableAddresses" not in ada.shown


@pytest.mark.parametrize("country", ["Nowhere", "ZZZ", 49, {"code": "FR"}])
def test_12_and_one_that_is_not_understood_is_not_the_workspace_s(country: Any):
    ada = at_home().customer("ada")
    says(ada, phone="06 12 34 56 78", country=country)
    assert address(ada, "phone") is None
    (unusable,) = ada.shown["unusableAddresses"]
    assert unusable["reason"].endswith("and the country that is said is none that is known")
    says(ada, phone="+33 6 12 34 56 78", country=country)
    assert address(ada, "phone") == "+33612345678"


@pytest.mark.parametrize(
    ("country", "told", "wanted"),
    [
        ("DE", "001 415 555 2671", "+14155552671"),
        ("DE", "0033 (0)6 12 34 56 78", "+33612345678"),
        ("US", "011 49 171 1234567", "+491711234567"),
        ("US", "011 44 (0)7911 123456", "+447911123456"),
        ("JP", "010 49 171 1234567", "+491711234567"),
        ("AU", "0011 49 171 1234567", "+491711234567"),
    ],
)
@pytest.mark.parametrize("public", [True, False])
def test_12_a_number_is_read_as_it_is_dialled_from_home(country: str, told: str, wanted: str, public: bool):
    ada = at_home(country).customer("ada")
    says(ada, phone=told, public=public)
    assert address(ada, "phone") == wanted and "unusableAddresses" not in ada.shown


def test_12_no_write_key_turns_a_number_at_home_into_one_of_another_country():
    ada = at_home().customer("ada")
    says(ada, phone="0660 1234567", country="AT")
    ada.world.advance(minutes=1)
    for kind in ("track", "identify"):
        says(ada, phone="0660 1234567", country="IT", kind=kind, public=True)
        says(ada, phone="+49 660 1234567", kind=kind, public=True)
        ada.world.advance(minutes=1)
        assert address(ada, "phone") == "+436601234567"


def test_12_a_number_at_home_outlives_a_merge_and_another_country():
    world = at_home()
    visitor, ada = world.customer(anonymous="a-1"), world.customer("ada", anonymous="a-1")
    says(visitor, phone="0171 1234567")
    says(ada, country="AT")
    ada.does("Aliased", kind="alias", previous_id="a-1")
    world.settle()
    assert address(ada, "phone") == "+491711234567"


@pytest.mark.parametrize("public", [True, False])
@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"email": "not an email"}, "is not an e-mail address"),
        ({"email": ["ada@shop.example"]}, "must be a text or a whole number"),
        ({"phone": "call me"}, "is not a telephone number with + and country code, nor one of DE"),
        ({"phone": "0171"}, "is not a possible telephone number of DE"),
        ({"phone": "+49"}, "is not a telephone number with + and country code, nor one of DE"),
    ],
)
def test_13_what_is_no_address_is_kept_and_named_with_the_reason(told: dict[str, Any], reason: str, public: bool):
    ada = at_home().customer("ada")
    says(ada, **told, public=public)
    ((namespace, value),) = told.items()
    assert ada.shown["traits"][namespace] == value and ada.shown["addresses"][namespace] is None
    assert ada.shown["unusableAddresses"] == [{"namespace": namespace, "value": value, "reason": reason}]
    ada.world.advance(minutes=1)
    says(ada, email="ada@shop.example", phone="0171 1234567", public=public)
    assert "unusableAddresses" not in ada.shown


def test_13_what_is_absent_is_no_bad_address(world: World):
    ada = world.customer("ada")
    for nothing in (None, "", "  ", [], "undefined"):
        says(ada, email=nothing, phone=nothing)
        assert "unusableAddresses" not in ada.shown
