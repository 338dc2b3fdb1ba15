"""What was drawn once stays: variants and holdouts through login, merges, new catalogs and all channels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.told import Told
from support.world import ID_KEY, MINUTE, Customer, World, action, compiled, document

from engine import codec, seeds
from engine.inputs import Erase
from engine.profile import Drawn, Profile
from engine.readings import instants, reasons_now

PLACES = {"placements": [{"id": "home_hero", "channel": "web"}, {"id": "inbox", "channel": "sms"}]}
MANY = 60


def forms(*names: str, **weights: float) -> list[dict[str, Any]]:
    return [
        {"id": name, "weight": weights.get(name, 1.0), "web": {"content": {"form": name}}, "sms": {"text": name}}
        for name in names
    ]


def tried(name: str = "hero", *names: str, **changes: Any) -> dict[str, Any]:
    """A web action in several forms that needs no consent, and no cap counts."""
    base = action(name, channels=["web"], placements=["home_hero"], purpose="service", **changes)
    return base | {"variants": [{k: v for k, v in form.items() if k != "sms"} for form in forms(*(names or "abc"))]}


def shop(*actions: dict[str, Any], **policies: Any) -> dict[str, Any]:
    return document(actions=list(actions or [tried()]), placements=PLACES, policies=policies)


HELD = {"holdouts": [{"id": "control", "share": 0.5, "match": {"action": "hero"}}]}


def what(answer: dict[str, Any]) -> str:
    """The variant that is shown, or `nothing`."""
    return answer["actions"][0]["variant"] if answer["actions"] else "nothing"


def signs_in(world: World, anonymous: str, user: str) -> Customer:
    both = Customer(world, user, anonymous)
    both.identifies()
    world.settle()
    return both


@pytest.mark.parametrize("policies", [{}, HELD], ids=["variants", "holdouts"])
@pytest.mark.parametrize("browses", [False, True], ids=["a stranger", "with a profile"])
@pytest.mark.parametrize("known", ["new", "known", "known and decided elsewhere"])
def test_a_visitor_who_signs_in_sees_what_the_visitor_saw(policies: dict[str, Any], browses: bool, known: str):
    world = World(shop(tried(), tried("other", value=0.5), **policies))
    for number in range(MANY):
        visitor, user = world.customer(anonymous=f"a{number}"), Customer(world, f"u{number}", "")
        if known != "new":
            user.does("Signed Up")
            world.advance(minutes=1)
        if browses:
            visitor.does("Page Viewed")
        before = what(visitor.decides())
        world.advance(minutes=1)
        if known == "known and decided elsewhere":
            user.decides()
        signs_in(world, f"a{number}", f"u{number}")
        assert what(user.decides()) == before
        assert what(visitor.decides()) == before, "the anonymous id leads to the same person"


def test_of_two_draws_the_earlier_one_stands():
    world = World(shop(**HELD))
    for number in range(MANY):
        user, visitor = Customer(world, f"u{number}", ""), world.customer(anonymous=f"a{number}")
        user.does("Signed Up")
        before = what(user.decides())
        world.advance(minutes=1)
        visitor.decides()
        signs_in(world, f"a{number}", f"u{number}")
        assert what(user.decides()) == before


def test_a_stranger_is_drawn_the_same_for_a_day_and_who_comes_new_is_drawn_as_the_visitor_for_ever():
    world = World(shop(**HELD))
    for number in range(MANY):
        before = what(world.customer(anonymous=f"a{number}").decides())
        world.advance(days=3)
        user = signs_in(world, f"a{number}", f"u{number}")
        assert what(user.decides()) == before


@pytest.mark.parametrize("days", [0, 3])
def test_an_alias_brings_what_the_visitor_drew(days: int):
    world = World(shop(**HELD))
    for number in range(20):
        before = what(world.customer(anonymous=f"a{number}").decides())
        world.advance(days=days)
        user = Customer(world, f"u{number}", "")
        user.does("Aliased", kind="alias", previous_id=f"a{number}")
        world.settle()
        assert what(user.decides()) == before


def test_nobody_is_drawn_as_a_visitor_who_belongs_to_somebody_else_or_was_erased():
    world = World(shop(**HELD))
    visitor = world.customer(anonymous="a1")
    visitor.decides()
    ada = signs_in(world, "a1", "ada")
    bob = signs_in(world, "a1", "bob")
    assert (ada.profile.drawn_as, bob.profile.drawn_as) == (visitor_place(world, "a1"), "")
    assert world.engine.ask_profile(ada.id, Erase())
    world.settle()
    again = signs_in(world, "a1", "carl")
    assert again.profile.drawn_as == seeds.next_epoch(visitor_place(world, "a1")) and again.profile.drawn == {}


def visitor_place(world: World, anonymous: str) -> str:
    return seeds.profile_id(ID_KEY, "anonymous_id", anonymous)


def test_three_who_become_one_keep_the_earliest_draw_whoever_takes_over_whom():
    for number in range(12):
        world = World(shop(), shards=2)
        first, second, third = (world.customer(anonymous=f"{name}{number}") for name in "xyz")
        shown = []
        for visitor in (first, second, third):
            visitor.does("Page Viewed")
            shown.append(what(visitor.decides()))
            world.advance(minutes=1)
        user = signs_in(world, third.anonymous, f"u{number}")
        signs_in(world, second.anonymous, f"u{number}")
        assert what(user.decides()) == shown[1]
        signs_in(world, first.anonymous, f"u{number}")
        assert what(user.decides()) == shown[0]
        assert user.shown["drawn"]["variants"][0]["at"] == instants.iso(world.now_ms - 3 * MINUTE - 90_000)


def test_draws_at_one_instant_come_out_the_same_in_any_order():
    from engine.decide import draws

    one, other = {"variant hero": Drawn("b", 5)}, {"variant hero": Drawn("a", 5)}
    for order in ((one, other), (other, one)):
        profile = Profile("0" * 30)
        for drawn in order:
            draws.recall(profile, drawn, compiled(shop()))
        assert profile.drawn == {"variant hero": Drawn("a", 5)}


@pytest.mark.parametrize("browses", [False, True], ids=["a stranger", "with a profile"])
@pytest.mark.parametrize("user_was_first", [False, True], ids=["the visitor first", "the user first"])
def test_a_draw_whose_variant_is_gone_gives_way_to_one_that_stands(browses: bool, user_was_first: bool):
    world = Told(shop(tried("hero", *"abc")))
    for number in range(MANY):
        user, visitor = Customer(world, f"u{number}", ""), world.customer(anonymous=f"a{number}")
        first, second = (user, visitor) if user_was_first else (visitor, user)
        if browses or first is user:
            first.does("Page Viewed")
        lost = what(first.decides()) == "c"
        world.takes(shop(tried("hero", *"ab")))
        world.advance(minutes=1)
        if browses or second is user:
            second.does("Page Viewed")
        before = what(second.decides())
        world.advance(minutes=1)
        signs_in(world, f"a{number}", f"u{number}")
        assert not lost or what(user.decides()) == before
        world.takes(shop(tried("hero", *"abc")))


@pytest.fixture
def crowd() -> Iterator[tuple[Told, dict[str, str]]]:
    world = Told(shop(**HELD))
    yield world, {f"u{number}": _first(world, f"u{number}") for number in range(MANY)}


def _first(world: World, name: str) -> str:
    user = Customer(world, name, "")
    user.does("Signed Up")
    return what(user.decides())


def test_other_weights_and_another_share_move_nobody_who_was_drawn(crowd: tuple[Told, dict[str, str]]):
    world, before = crowd
    heavy = tried() | {
        "variants": [form | {"weight": 1.0 if form["id"] == "a" else 99.0} for form in tried()["variants"]]
    }
    world.takes(shop(heavy, holdouts=[{"id": "control", "share": 0.9, "match": {"action": "hero"}}]))
    assert {name: what(Customer(world, name, "").decides()) for name in before} == before
    newcomers = [_first(world, f"new{number}") for number in range(MANY)]
    assert newcomers.count("nothing") > 40, "the new share is for who comes new"


def test_a_variant_that_is_taken_away_is_drawn_anew_and_that_stays(crowd: tuple[Told, dict[str, str]]):
    world, before = crowd
    world.takes(shop(tried("hero", "a", "b"), **HELD))
    between = {name: what(Customer(world, name, "").decides()) for name in before}
    for name, shown in before.items():
        assert between[name] == shown or (shown == "c" and between[name] in ("a", "b"))
    world.takes(shop(**HELD))
    assert {name: what(Customer(world, name, "").decides()) for name in before} == between


def test_where_one_form_is_left_it_stays_when_others_come_back(crowd: tuple[Told, dict[str, str]]):
    world, before = crowd
    world.takes(shop(tried("hero", "b"), **HELD))
    assert {what(Customer(world, name, "").decides()) for name in before} == {"b", "nothing"}
    world.takes(shop(**HELD))
    assert {what(Customer(world, name, "").decides()) for name in before} == {"b", "nothing"}


def test_who_was_known_before_draws_were_kept_gets_what_they_had():
    world = World(shop(**HELD))
    for number in range(MANY):
        user = Customer(world, f"u{number}", "")
        user.does("Signed Up")
        is_held = seeds.draw(ID_KEY, "holdout", "control", user.id) < 0.5
        form = "abc"[int(seeds.draw(ID_KEY, "variant", user.id, "hero") * 3)]
        assert what(user.decides()) == ("nothing" if is_held else form)


def test_a_profile_of_before_draws_were_kept_can_be_read():
    packed = codec.canonical(Profile("0" * 30, clock_ms=5))
    fields = codec.encoder.encode(Profile("0" * 30, clock_ms=5))
    assert packed[1:].endswith(codec.encoder.encode([])), "a profile, then its recent events"
    import msgspec

    old = msgspec.msgpack.decode(fields)[:-2]
    record = codec.decode_record(codec.seal(b"P" + codec.encoder.encode([old, []])))
    assert isinstance(record, Profile) and (record.drawn, record.drawn_as) == ({}, "")


def test_every_channel_shows_the_same_form_and_who_asks_why_is_told_it():
    everywhere = action("hero", channels=["web", "sms"], placements=["home_hero", "inbox"], purpose="service")
    journey = {"id": "j", "tier": "promotional", "trigger": {"event": "Go"}}
    journey["steps"] = [{"send": {"action": "hero", "channel": "sms"}}]
    plain = document(
        actions=[everywhere | {"variants": forms("a", "b", "c")}], journeys=[journey], placements=PLACES, policies=HELD
    )
    world = World(plain)
    for number in range(20):
        ada = world.customer(f"u{number}")
        ada.does("Go")
        said = next(entry for entry in ada.timeline if entry.kind == "send")
        web, inbox = ada.decides(explain=True), ada.decides("inbox", channel="sms")
        gates = reasons_now.why(ada.profile, world.catalog, world.now_ms, "hero")["gates"]
        if said.outcome == "held":
            assert said.reason == "holdout.control" and ada.shown["holdouts"] == ["control"]
            assert what(web) == what(inbox) == "nothing"
            assert {gate["reason"] for gate in gates} == {"holdout.control"}
        else:
            assert what(web) == what(inbox) == said.detail["variant"]
            assert web["explanation"]["candidates"][0]["variant"] == said.detail["variant"]
            assert {gate["variant"] for gate in gates} == {said.detail["variant"]}


def test_who_asks_why_or_reads_a_profile_draws_nothing():
    world = World(shop(**HELD))
    ada = world.customer("ada")
    ada.does("Signed Up")
    assert reasons_now.why(ada.profile, world.catalog, world.now_ms, "hero") and ada.shown
    assert ada.profile.drawn == {}


def test_draws_about_what_is_gone_are_bounded_and_those_that_count_never_go(monkeypatch: pytest.MonkeyPatch):
    from engine import limits

    monkeypatch.setattr(limits, "DRAWN_MAX", 3)
    world = Told(shop(*(tried(f"act{number}") for number in range(5))))
    ada = world.customer("ada")
    ada.does("Signed Up")
    ada.decides(limit=20)
    assert len(ada.profile.drawn) == 5, "all of them count"
    world.advance(1)
    world.takes(shop(tried("fresh"), tried("act4")))
    ada.decides(limit=20)
    assert sorted(ada.profile.drawn)[-1] == "variant fresh" and "variant act4" in ada.profile.drawn
    assert len(ada.profile.drawn) == 3


def test_a_journal_repeats_what_a_stranger_had_drawn():
    from actors.maintenance import verify_replay

    world = Told(shop(**HELD))
    visitor = world.customer(anonymous="a1")
    visitor.decides()
    world.takes(shop(tried("hero", "a", "b"), holdouts=[{"id": "control", "share": 0.0}]))
    world.advance(minutes=1)
    visitor.does("Page Viewed")
    shard = world.engine.shard(visitor.id)
    shard.commit()
    assert visitor.profile.drawn
    assert list(verify_replay.differences(shard.batch, visitor.id, visitor.profile, shard.catalogs)) == []
