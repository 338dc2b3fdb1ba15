"""Every crash point of every kind of turn: the power fails at the first, second, third … operation of the store.

What was acknowledged is there, once; timers are pending as they were; every send has one outcome, and is never handed
over again where nobody knows what became of it; and the stores' references hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from support import crashing
from support.crashing import Crashing, Kept, Step
from support.faulty_store import Fuse
from support.world import HOUR, MINUTE, START_MS, action, cart_journey, compiled, document

from actors.shard import shard, transfer
from engine.catalog.compiled import Catalog
from engine.events import history
from engine.inputs import ConsentChange, Decide, Event, Exposure
from engine.turn import handle

pytestmark = pytest.mark.slow

ADA = "ada@example.com"
KEPT: list[Kept] = [crashing.nothing, crashing.everything, crashing.only_even, crashing.only_odd, crashing.one_less]
CATALOG = compiled(
    document(
        actions=[
            action("cart_reminder"),
            action("text", purpose="service", channels=["sms"]),
            action("offer", purpose="service", channels=["web"], placements=["home_hero"]),
        ],
        journeys=[
            cart_journey(),
            cart_journey(
                id="text",
                trigger={"event": "Call Ended"},
                steps=[{"send": {"action": "text", "channel": "sms", "on_held": "continue"}}],
            ),
        ],
        policies={
            "caps": [
                {"id": "texts", "limit": 1, "per": "7d", "match": {"channel": "sms"}},
                {"id": "offers", "limit": 1, "per": "1d", "match": {"channel": "web"}},
            ],
            "stops": [{"id": "purchase", "on": "Order Completed", "tier": "promotional"}],
        },
    )
)


def event(number: int, name: str, at_ms: int = START_MS, **fields: Any) -> Event:
    """One of a story's events; the number is its message id."""
    base = {"kind": "track", "received_at_ms": at_ms, "source": "test", "channel": "web", "message_id": f"m{number}"}
    return Event(name=name, at_ms=at_ms, **(base | fields))


def consent(number: int, who: dict[str, str], at_ms: int, granted: bool = True) -> Event:
    """A tracked consent change."""
    said = {"purpose": "marketing", "channel": "email", "granted": granted}
    return event(number, "Consent Updated", at_ms, properties=said, **who)


def staged(*events: Event) -> Step:
    """A step: the client sends events."""
    return lambda here: here.stage(events)


def until(at_ms: int) -> Step:
    """A step: the clock moves."""
    return lambda here: here.advance(at_ms)


def asked(name: str, told: Any) -> Step:
    """A step: the client asks, and keeps the answer."""

    def ask(here: Crashing) -> None:
        here.answers[name] = here.ask(here.home(told), told)

    return ask


def saw(name: str, at_ms: int) -> Step:
    """A step: the first action of an answer is seen."""

    def see(here: Crashing) -> None:
        answer = here.answers[name]
        token = answer["actions"][0]["trackingToken"]
        here.ask(answer["profileId"], Exposure(token=token, event="viewed", at_ms=at_ms))

    return see


def accepts(message: dict[str, Any]) -> str:
    """A provider that takes everything."""
    return "sent"


def enumerate_crashes(
    steps: Sequence[Step],
    *,
    shards: int = 3,
    says: Callable[[], Callable[[dict[str, Any]], str]] = lambda: accepts,
    catalog: Catalog = CATALOG,
) -> Crashing:
    """Run the story with a crash at every operation, before and after it, whatever survives; returns it without one."""
    story = [*steps, Crashing.drain]
    whole = Crashing(catalog, shards=shards, says=says())
    fuse = Fuse()
    whole.tell(story, fuse, crashing.everything)
    assert whole.faults() == []
    for at in range(1, fuse.operations + 1):
        for after in (False, True):
            for kept in KEPT:
                broken = Crashing(catalog, shards=shards, says=says())
                broken.tell(story, Fuse(at, after=after), kept)
                try:
                    assert broken.crashes == 1
                    assert_keeps_its_promises(broken, whole)
                except AssertionError as error:
                    error.add_note(f"crash {'after' if after else 'before'} operation {at}, kept {kept.__name__}")
                    raise
    return whole


def assert_keeps_its_promises(broken: Crashing, whole: Crashing) -> None:
    """Nothing lost, nothing twice, nothing invented."""
    assert broken.faults() == []
    assert broken.differences(whole) == []
    outcomes, expected = broken.outcomes(), whole.outcomes()
    assert outcomes.keys() == expected.keys()
    for send, final in outcomes.items():
        assert len(final) == 1, f"send {send} ends as {final}"
        calls = sum(count for (name, said), count in broken.said.items() if name == send and said == "sent")
        if final != expected[send]:
            assert final == ["unknown"]
            assert calls <= 1
        else:
            assert calls == whole.said[send, "sent"]


# -- the stories: each kind of turn is in one of them


def test_an_event_that_enters_a_journey_its_timer_and_its_send():
    who = {"user_id": "ada"}
    whole = enumerate_crashes(
        [
            staged(
                event(1, "Identified", kind="identify", identifiers=(("email", ADA),), traits={"name": "Ada"}, **who),
                consent(2, who, START_MS),
                event(3, "Product Added", properties={"cart_id": "c"}, **who),
            ),
            until(START_MS + MINUTE),
            staged(event(4, "Product Added", START_MS + 2 * MINUTE, properties={"cart_id": "c"}, **who)),
            until(START_MS + 2 * HOUR),
        ]
    )
    assert list(whole.outcomes().values()) == [["sent"]]


def test_a_stop():
    who = {"user_id": "ada", "identifiers": (("email", ADA),)}
    whole = enumerate_crashes(
        [
            staged(
                consent(1, who, START_MS),
                event(2, "Product Added", properties={"cart_id": "c"}, **who),
                event(3, "Order Completed", START_MS + HOUR + 5_000, **who),  # between the timer and the hand-over
            ),
            until(START_MS + 2 * HOUR),
        ]
    )
    assert list(whole.outcomes().values()) == [["withdrawn"]]


def test_a_merge_over_two_shards_with_its_three_messages():
    visitor, ada = {"anonymous_id": "laptop"}, {"user_id": "ada"}
    whole = enumerate_crashes(
        [
            staged(
                consent(1, visitor, START_MS),
                event(2, "Product Added", properties={"cart_id": "c"}, **visitor),
                event(3, "Page Viewed", identifiers=(("email", ADA),), **ada),
            ),
            until(START_MS + MINUTE),
            staged(
                event(4, "Product Added", START_MS + 2 * MINUTE, properties={"cart_id": "d"}, **ada, **visitor),
                *(event(10 + n, "Page Viewed", START_MS + 2 * MINUTE + n * 4_000, **visitor) for n in range(8)),
            ),
            until(START_MS + 2 * HOUR),
            staged(event(5, "Product Added", START_MS + 3 * HOUR, properties={"cart_id": "e"}, **visitor)),
        ]
    )
    assert sorted(whole.outcomes().values()) == [["sent"]] * 3
    assert len(whole.profiles()) == 1


def test_a_merge_of_a_past_that_comes_in_pieces(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transfer, "PIECE_BYTES_MAX", 150)
    monkeypatch.setattr(history, "RECENT_MAX", 6)
    monkeypatch.setattr(history, "PAGE_EVENTS", 3)
    visitor, ada = {"anonymous_id": "laptop"}, {"user_id": "ada"}
    whole = enumerate_crashes(
        [
            staged(
                consent(1, visitor, START_MS),
                event(2, "Product Added", properties={"cart_id": "c"}, **visitor),
                event(3, "Page Viewed", identifiers=(("email", ADA),), **ada),
                *(event(20 + n, "Page Viewed", START_MS + n * 1_000, **visitor) for n in range(12)),
            ),
            until(START_MS + MINUTE),
            staged(
                event(4, "Page Viewed", START_MS + 2 * MINUTE, **ada, **visitor),
                *(event(10 + n, "Page Viewed", START_MS + 2 * MINUTE + n * 20_000, **visitor) for n in range(5)),
            ),
            until(START_MS + 3 * HOUR),
        ],
        shards=2,
    )
    assert sum(windows.shard.counters.turns["GoOn"] for windows in whole.engine.windows) > 3
    assert sorted(whole.outcomes().values()) == [["sent"]]
    assert len(whole.profiles()) == 1


def test_an_alias_a_claim_and_an_identifier_that_changes_hands():
    old, new = {"user_id": "old"}, {"user_id": "new"}
    phone = {"anonymous_id": "phone"}
    whole = enumerate_crashes(
        [
            staged(
                event(1, "Page Viewed", **old),
                event(2, "Page Viewed", identifiers=(("email", ADA),)),
                event(3, "Page Viewed", **phone, **old),
            ),
            until(START_MS + MINUTE),
            staged(
                event(4, "Aliased", START_MS + MINUTE, kind="alias", previous_id="old", **new),
                event(5, "Page Viewed", START_MS + MINUTE, identifiers=(("email", ADA),), **new),
            ),
            until(START_MS + 3 * MINUTE),
            staged(
                event(6, "Page Viewed", START_MS + 4 * MINUTE, user_id="third", **phone),  # nothing moves
                event(7, "Page Viewed", START_MS + 5 * MINUTE, **phone),
            ),
        ]
    )
    assert len(whole.profiles()) == 3, "nobody has two user ids"


def test_decisions_of_somebody_and_of_strangers_exposures_and_consent():
    names = (("user_id", "ada"),)
    at_ms = START_MS + MINUTE
    told = ConsentChange(
        purpose="marketing", channel="email", granted=True, at_ms=at_ms, source="test", identifiers=names
    )
    stranger = Decide(placement="home_hero", channel="web", request_id="r2", identifiers=(("anonymous_id", "x"),))
    whole = enumerate_crashes(
        [
            staged(event(1, "Page Viewed", user_id="ada")),
            until(at_ms),
            asked("first", Decide(placement="home_hero", channel="web", request_id="r1", identifiers=names)),
            asked("again", Decide(placement="home_hero", channel="web", request_id="r1", identifiers=names)),
            saw("first", at_ms),
            asked("over", Decide(placement="home_hero", channel="web", request_id="r3", identifiers=names)),
            asked("consent", told),
            asked("stranger", stranger),
        ]
    )
    assert [answer["actionId"] for answer in whole.answers["first"]["actions"]] == ["offer"]
    assert whole.answers["again"] == whole.answers["first"]


@pytest.mark.parametrize("outcome", ["sent", "refused", "unknown", "retry"])
def test_a_send_with_each_outcome(outcome: str):
    def says() -> Callable[[dict[str, Any]], str]:
        attempts: list[str] = []

        def provider(message: dict[str, Any]) -> str:
            attempts.append(message["send"])
            return "sent" if len(attempts) > 2 else outcome

        return provider

    whole = enumerate_crashes(
        [
            staged(event(1, "Call Ended", properties={"cart_id": "c"}, user_id="ada")),
            until(START_MS + MINUTE),
            until(START_MS + HOUR),
        ],
        says=says,
        shards=2,
    )
    final = "sent" if outcome == "retry" else outcome
    assert list(whole.outcomes().values()) == [[final]]


def test_a_turn_that_fails_is_a_dead_letter_once(monkeypatch: pytest.MonkeyPatch):
    def broken(profile: Any, told: Any, catalog: Any, now_ms: int) -> Any:
        asked = handle(profile, told, catalog, now_ms)
        assert not (isinstance(told, Event) and told.name == "Bad"), "this cannot be"
        return asked

    monkeypatch.setattr(shard, "handle", broken)
    who = {"user_id": "ada"}
    whole = enumerate_crashes(
        [
            staged(event(1, "Page Viewed", **who), event(2, "Bad", **who), event(3, "Page Viewed", **who)),
            until(START_MS + MINUTE),
        ],
        shards=2,
    )
    assert len(whole.dead()) == 1
