"""A shard keeps what it promised: through failing turns, repeats, restarts and lost dispatchers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.world import CART, DAY, HOUR, Customer, World, action, cart_journey, document

from actors.platform.clock import ReplayClock
from actors.replay_clock.windows import WINDOW_MS
from actors.shard import shard
from actors.shard.outbox import handing_out
from actors.shard.set_aside import dead_letter_actions, dead_letters
from actors.shard.set_aside.dead_letters import CONSENT, TRACKING_PLAN, Bound, DeadLetters
from actors.shard.shard import Shard
from actors.storage import keys
from actors.storage.memory_store import MemoryStore
from actors.storage.store import RocksStore, Store
from engine import audit, codec
from engine.errors import InvalidInput, NotFound
from engine.inputs import Authorise, Event, Rejected
from engine.profile import Profile
from engine.turn import handle

YES = ("marketing:email",)
ADA = "ada@example.com"
TEXT = cart_journey(id="now", steps=[{"send": {"action": "call", "channel": "sms"}}])
CAPPED = document(
    actions=[action("call", purpose="service", channels=["sms"])],
    journeys=[TEXT],
    policies={"caps": [{"id": "one", "limit": 1, "per": "7d", "match": {"channel": "sms"}}]},
)


class Crash(Exception):
    """The process ends here."""


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> type[Exception]:
    """Turns of `Bad` change their profile and then fail; so does every authorisation of a dispatcher `bad`."""

    def broken(profile: Any, told: Any, catalog: Any, now_ms: int) -> Any:
        asked = handle(profile, told, catalog, now_ms)
        if isinstance(told, Event) and told.name == "Bad":
            profile.traits.clear()
            raise AssertionError("this cannot be")
        return asked

    monkeypatch.setattr(shard, "handle", broken)
    return AssertionError


def dead(world: World) -> list[tuple[str, str, Any]]:
    """(profile, reason, input) of what was set aside."""
    found = []
    for windows in world.engine.windows:
        found += [(letter.profile, letter.reason, letter.told) for letter in reversed(windows.shard.dead.all())]
    return found


def everything(world: World) -> dict[str, Any]:
    """All living profiles as canonical plaintext, with their histories and audit chains."""
    found: dict[str, Any] = {}
    for windows in world.engine.windows:
        for profile in windows.shard.all_profiles():
            record = windows.shard.record(profile)
            if isinstance(record, Profile):
                beside = [windows.shard.records(family, profile) for family in ("history", "audit")]
                found[profile] = codec.canonical(record), beside
    return found


@pytest.mark.usefixtures("failing")
def test_a_turn_that_fails_is_undone_and_set_aside_and_the_shard_goes_on():
    world = World()
    ada = world.customer(ADA, consents=YES)
    ada.does("Product Added", cart_id="c")
    world.settle()
    before, clock = everything(world), ada.profile.clock_ms
    bad = ada.event("Bad", kind="identify", traits={"name": "nobody"})
    ada.tell(bad)
    assert [(name, reason) for name, reason, _ in dead(world)] == [(ada.id, "AssertionError: this cannot be")]
    assert dead(world)[0][2] == bad
    after = everything(world)
    assert after == before and ada.profile.clock_ms == clock
    ada.tell(bad)
    assert len(dead(world)) == 1, "what was set aside was seen"
    world.advance(hours=2)
    assert ada.sends == ["cart_reminder"]


@pytest.mark.usefixtures("failing")
def test_earlier_turns_of_the_same_uncommitted_group_survive_and_so_do_later_ones():
    worlds = [World(), World()]
    for world, names in zip(
        worlds, (["A", "Bad", "Product Added", "Bad", "B"], ["A", "Product Added", "B"]), strict=True
    ):
        ada = world.customer(ADA, consents=YES)
        events = [ada.event(name, cart_id="c", kind="track", message_id=f"{n}{name}") for n, name in enumerate(names)]
        shard_of = world.engine.shard(ada.id)
        for event in events:
            shard_of.tell(ada.id, event)
        shard_of.commit()
        world.advance(hours=2)
        assert ada.sends == ["cart_reminder"]
    broken, whole = (world.customer(ADA).profile for world in worlds)
    assert [event.name for event in broken.history] == [event.name for event in whole.history]
    assert broken.runs == whole.runs and broken.audit_seq == whole.audit_seq
    assert [name for _, _, told in dead(worlds[0]) if (name := told.name)] == ["Bad", "Bad"]


@pytest.mark.usefixtures("failing")
def test_a_stranger_whose_first_turn_fails_leaves_nobody_behind():
    world = World()
    nobody = world.customer("nobody")
    nobody.does("Bad")
    assert world.engine.shard(nobody.id).record(nobody.id) is None
    assert world.engine.windows[0].shard.profiles == 0
    nobody.does("Good")
    assert [event.name for event in nobody.profile.history] == ["Good"]
    assert world.engine.windows[0].shard.profiles == 1


@pytest.mark.usefixtures("failing")
def test_a_dead_letter_that_fails_again_stays_with_one_attempt_more(monkeypatch: pytest.MonkeyPatch):
    world = World()
    ada = world.customer(ADA, consents=YES)
    ada.does("Bad", cart_id="c")
    one = world.engine.shard(ada.id)
    assert dead_letter_actions.retry(one, 1) == "failed"
    (letter,) = one.dead.all()
    assert (letter.attempts, letter.reason) == (2, "AssertionError: this cannot be")
    with pytest.raises(NotFound, match="no dead letter 1"):
        dead_letter_actions.retry(one, 1)
    monkeypatch.setattr(shard, "handle", handle)  # the fault is mended
    assert dead_letter_actions.retry(one, letter.number) == "accepted"
    one.commit()
    assert one.dead.all() == [] and ada.profile.history[-1].name == "Bad"
    before = everything(world)
    ada.tell(letter.told)
    assert everything(world) == before, "once it has counted, it is a repeat"


def test_each_kind_of_dead_letters_has_bounds_of_its_own(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(dead_letters.BOUNDS, "rejected", Bound(3, 1 << 20))
    monkeypatch.setitem(dead_letters.BOUNDS, "quarantined", Bound(9, 5_000))
    world = World()
    one, ada = world.engine.windows[0].shard, world.customer(ADA).id
    one.dead.put(ada, Event(kind="track", name="Bad", at_ms=1, received_at_ms=1), "our fault", 1)
    quarantined = f"{TRACKING_PLAN}price: is no number"
    dead_letter_actions.set_aside(one, ada, Rejected(text="a word"), f"{CONSENT}there is no such purpose")
    assert [letter.told.text for letter in one.dead.all("quarantined")] == ["a word"]  # type: ignore[union-attr]
    for number in range(6):
        dead_letter_actions.set_aside(one, ada, Rejected(text=f"{number}" * 1_200), quarantined)
    for number in range(6):
        dead_letter_actions.set_aside(one, ada, Rejected(text=str(number)), "is no event")
    told = [(letter.reason, letter.told.text[0]) for letter in one.dead.all()[:-1]]  # type: ignore[union-attr]
    assert told == [*(("is no event", each) for each in "543"), *((quarantined, each) for each in "543")]
    assert one.dead.all()[-1].reason == "our fault"
    assert [len(one.dead.all(kind)) for kind in dead_letters.KINDS] == [1, 3, 3]
    one.commit()
    assert [letter.number for letter in DeadLetters(one.batch, one.dead.last).all()] == [
        letter.number for letter in one.dead.all()
    ]
    with pytest.raises(InvalidInput, match="is no event"):
        dead_letter_actions.retry(one, one.dead.last)
    one.dead.take(one.dead.last)
    world.advance(days=31)
    dead_letter_actions.set_aside(one, ada, Rejected(text="new"), "is no event")
    assert [letter.reason for letter in one.dead.all()] == ["is no event", *[quarantined] * 3, "our fault"]


def test_a_list_of_dead_letters_is_bounded_by_what_one_answer_may_hold(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dead_letters, "LISTED_BYTES_MAX", 2_000)
    world = World()
    one, ada = world.engine.windows[0].shard, world.customer(ADA).id
    for number in range(5):
        dead_letter_actions.set_aside(one, ada, Rejected(text=f"{number}" * 800), "is no event")
    assert [letter.told.text[0] for letter in one.dead.all()] == ["4", "3"]  # type: ignore[union-attr]


def test_a_send_whose_authorisation_fails_is_set_aside_once_and_the_drain_ends(monkeypatch: pytest.MonkeyPatch):
    def broken(profile: Any, told: Any, catalog: Any, now_ms: int) -> Any:
        if isinstance(told, Authorise):
            raise AssertionError("this cannot be")
        return handle(profile, told, catalog, now_ms)

    monkeypatch.setattr(shard, "handle", broken)
    world = World(CAPPED)
    world.customer("ada").does("Product Added", cart_id="c")
    world.advance(hours=1)
    assert world.mailbox == []
    assert [type(told) for _, _, told in dead(world)] == [Authorise]


@pytest.mark.parametrize("shards", [1, 3])
def test_invariant_3_repeats_change_nothing(shards: int):
    world = World(shards=shards)
    ada = world.customer(ADA, consents=YES)
    visitor = world.customer(anonymous="laptop")
    events = [
        visitor.event("Product Added", cart_id="c"),
        world.customer(ADA, anonymous="laptop").event("Page Viewed"),
        ada.event("Product Added", cart_id="d", message_id="", digest="a hash of it"),
    ]
    ada.tell(*events)
    world.advance(hours=2)
    before, sends = everything(world), len(world.mailbox)
    for _ in range(2):
        ada.tell(*events, *events)
        world.advance(hours=2)
    assert everything(world) == before and len(world.mailbox) == sends == 2
    assert sum(windows.shard.counts["repeated"] for windows in world.engine.windows) == 12


def test_an_event_without_id_or_digest_is_never_a_repeat_and_ids_are_forgotten_after_30_days():
    world = World()
    ada = world.customer(ADA)
    nameless = ada.event("Page Viewed", message_id="")
    ada.tell(nameless, nameless)
    named = ada.event("Page Scrolled")
    ada.tell(named)
    world.advance(days=30)
    ada.tell(named)
    world.advance(1)
    ada.tell(named)
    assert [event.name for event in ada.profile.history].count("Page Viewed") == 2
    assert [event.name for event in ada.profile.history].count("Page Scrolled") == 2


def test_the_same_message_id_from_another_source_is_another_event():
    world = World()
    ada = world.customer("ada")
    ada.does("Page Viewed", message_id="1", source="web")
    ada.does("Page Viewed", message_id="1", source="app")
    assert len(ada.profile.history) == 2


# -- restarts


def test_reopening_a_store_finds_every_timer_outbox_entry_and_message(tmp_path: Path):
    files = document(
        actions=[action("cart_reminder"), action("call", purpose="service", channels=["sms"])],
        journeys=[cart_journey(), TEXT],
        policies={},
    )
    world = World(files, stores=[RocksStore(tmp_path / "shard")])
    ada = world.customer(ADA, consents=YES)
    ada.does("Product Added", cart_id="c")
    one = world.engine.shard(ada.id)
    world.settle()
    one.tell(ada.id, Customer(world, ADA, "laptop").event("Product Added", cart_id="d"))
    one.commit()
    assert (len(one.timers), len(one.outbox), len(one.messages)) == (2, 1, 1)
    pending = one.timers.next_ms(), one.outbox.ready(world.now_ms), one.messages
    state = everything(world)
    one.batch.close()  # no last commit: what was not committed is lost, and nothing else

    again = World(world.catalog, stores=[RocksStore(tmp_path / "shard")])
    other = again.engine.windows[0].shard
    assert (other.timers.next_ms(), other.outbox.ready(world.now_ms), other.messages) == pending
    assert everything(again) == state and other.epoch == one.epoch + 1
    assert (other.counts, other.profiles) == (one.counts, one.profiles)
    again.advance(days=1)
    assert sorted(again.customer(ADA).sends) == ["call"] * 2 + ["cart_reminder"] * 2
    assert again.customer(anonymous="laptop").id == ada.id
    other.close()


def test_staged_events_and_the_clock_survive_a_restart():
    stores: list[Store] = [MemoryStore(), MemoryStore()]
    world = World(stores=stores)
    ada = world.customer(ADA, consents=YES)
    ada.does("Product Added", cart_id="c")
    world.engine.stage([ada.event("Order Completed", at_ms=world.now_ms + HOUR - 1)])
    world.advance(minutes=10)
    again = World(world.catalog, stores=stores)
    assert {windows.clock.now_ms() for windows in again.engine.windows} == {world.now_ms}
    again.advance(days=1)
    assert again.mailbox == []
    assert again.customer(ADA).run("abandoned_cart").ended_by == "stop.purchase"


@pytest.mark.parametrize("restart", [False, True])
def test_a_restart_within_a_window_changes_nothing(restart: bool):
    """The reminder comes up 1 ms before the purchase, and the clock stops between the two."""
    stores: list[Store] = [MemoryStore()]
    world = World(stores=stores)
    ada = world.customer(ADA, consents=YES)
    ada.does("Product Added", cart_id="c")
    world.engine.stage([ada.event("Order Completed", at_ms=world.now_ms + HOUR + 1)])
    world.advance(HOUR)
    assert [send.action for send in ada.profile.sends] == ["cart_reminder"]
    if restart:
        world = World(world.catalog, stores=stores)
    world.advance(days=1)
    assert world.mailbox == []
    assert world.customer(ADA).outcomes("withdrawn") == [("cart_reminder", "stop.purchase")]


# -- lost dispatchers


def handing_over(stores: list[Store]) -> World:
    """A crash between the hand-over and its outcome."""
    world = World(CAPPED, stores=stores)

    def crash(message: dict[str, Any]) -> str:
        raise Crash

    world.engine._provider = crash
    ada = world.customer("ada")
    world.engine.stage([ada.event("Product Added", cart_id="c")])
    with pytest.raises(Crash):
        asyncio.run(world.engine.advance(world.now_ms + HOUR))
    assert [send.state for send in ada.profile.sends] == ["handing_over"]
    return world


def test_what_another_dispatcher_was_handing_over_is_unknown_keeps_its_place_and_is_never_authorised_again():
    stores: list[Store] = [MemoryStore()]
    handing_over(stores)
    (one,) = (Shard(0, stores[0], World(CAPPED).catalog, ReplayClock(DAY)),)
    (entry,) = one.outbox.orphans("another")
    assert one.settle_orphans(entry.dispatcher) == 0, "its own dispatcher still has it"
    assert one.settle_orphans("another") == 1
    assert len(one.outbox) == 0 and one.sends["unknown"] == 1
    assert (
        handing_out.authorise(one, entry, "another") is None
        and handing_out.authorise(one, entry, entry.dispatcher) is None
    )
    record = one.record(entry.profile)
    assert [(place.ref, bool(place.left_ms)) for place in record.places] == [(entry.send, True)]  # type: ignore[union-attr]
    assert one.settle_orphans("another") == 0


def test_after_a_crash_during_a_hand_over_nothing_is_sent_again_and_the_cap_counts_it():
    stores: list[Store] = [MemoryStore()]
    handing_over(stores)
    world = World(CAPPED, stores=stores)
    ada = world.customer("ada")
    ada.does("Product Added", cart_id="d", message_id="after the crash")
    world.drain()
    assert world.mailbox == []
    assert ada.outcomes("unknown") == [("call", "dispatcher lost")]
    assert ada.outcomes("held") == [("call", "cap.one")]


@pytest.mark.parametrize("outcome", ["sent", "refused", "retry"])
def test_an_outcome_that_meets_a_profile_on_its_way_follows_it(outcome: str):
    world = World(CAPPED, shards=3)
    world.provider_says = outcome
    world.customer(anonymous="laptop").does("Product Added", cart_id="c")
    world.advance(WINDOW_MS)
    world.provider_says = "sent"
    ada = world.customer("ada", anonymous="laptop")
    ada.does("Page Viewed")  # the absorb arrives in the same window as the outcome
    world.drain()
    final = "refused" if outcome == "refused" else "sent"
    assert ada.outcomes(final) == [("call", "")] and ada.profile.sends == []


# -- rings


@pytest.mark.parametrize("shards", [1, 3])
def test_a_ring_of_profiles_that_merge_with_one_another_becomes_one_and_nothing_is_lost(shards: int):
    several_user_ids = {"identity.yaml": {"namespaces": {"user_id": {"unique": False}}}}
    world = World(CART | several_user_ids, shards=shards)
    names = ["ada", "bob", "eve", "joe"]
    ring = {name: world.customer(name) for name in names}
    ring["ada"].consents("marketing", "email", True)
    ring["bob"].identifies(email=ADA)
    for name, person in ring.items():
        person.does("Product Added", cart_id=name)
    world.settle()
    for name, following in zip(names, names[1:] + names[:1], strict=True):
        world.engine.stage([ring[name].event("Aliased", kind="alias", previous_id=following)])
    for wait_ms in range(0, 60_000, 5_000):  # while all of them are on their way
        world.engine.stage([person.event("Page Viewed", at_ms=world.now_ms + wait_ms) for person in ring.values()])
    world.advance(hours=3)
    assert len({person.id for person in ring.values()}) == 1
    survivor = ring["ada"].profile
    events = [*world.engine.shard(survivor.id).older(survivor.id), *survivor.history]
    assert [event.name for event in events].count("Page Viewed") == 48
    assert not survivor.moving_to and not survivor.absorbing and len(survivor.ledger) == 3
    assert ring["ada"].sends == ["cart_reminder"] * 4
    assert dead(world) == [] and not any(windows.shard.messages for windows in world.engine.windows)


def test_two_addresses_that_claim_each_other_become_one():
    world = World(shards=2)
    mail, phone = ("email", ADA), ("phone", "+4915112345678")
    named = [world.customer().event("Page Viewed", identifiers=pair) for pair in ((mail, phone), (phone, mail))]
    world.engine.stage(named)
    world.advance(hours=3)
    assert [windows.shard.profiles for windows in world.engine.windows] in ([1, 0], [0, 1])


# -- the audit chain


def chain(world: World, profile: str) -> list[bytes]:
    rows = world.engine.shard(profile).records("audit", profile)
    return [value for key, value in rows if key.startswith(keys.origin_of(profile))]


def test_the_audit_chain_of_every_profile_verifies_and_shows_tampering():
    world = World(shards=2)
    people = [world.customer(f"p{n}@example.com", consents=YES) for n in range(5)]
    for person in people:
        person.does("Product Added", cart_id="c")
    world.customer("p0@example.com", anonymous="laptop").does("Page Viewed")
    world.advance(days=1)
    people[0].does("Order Completed")
    for person in people:
        records = chain(world, person.id)
        assert len(records) == person.profile.audit_seq >= 5
        assert audit.first_break(records) is None
        assert audit.open_entry(records[-1])[0] == person.profile.audit_head
    records = chain(world, people[0].id)
    digest, entry = audit.open_entry(records[2])
    forged = msgspec.structs.replace(entry, summary="never happened")
    for tampered in (
        [*records[:2], codec.seal(digest + codec.encoder.encode(forged)), *records[3:]],
        records[:2] + records[3:],
        [*records[:2], records[3], records[2], *records[4:]],
        [*records[:2], audit.link(b"", forged)[1], *records[3:]],
    ):
        assert audit.first_break(tampered) == 2
    assert audit.open_entry(records[-2])[0] != people[0].profile.audit_head, "a chain that was cut misses its head"
