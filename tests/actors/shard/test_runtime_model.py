"""The runtime beside a model in memory: whatever happens, crashes and however often, both say the same.

Customers act, mails leave, offers are shown and seen, devices turn out to be somebody's; profiles are thrown out of
memory all the time, histories are written out in pages, the power fails in the middle of anything, and clients repeat
what was not acknowledged (Invariants 1, 2, 3, 4, 7).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support import crashing
from support.crashing import Crashing, Kept
from support.faulty_store import Fuse, PowerCut
from support.runtime_model import HOUR, OFFERS_A_DAY, Customer, Shop, Shown
from support.world import START_MS, action, cart_journey, compiled, document

from actors.shard.activation import Activation
from engine.events import history
from engine.inputs import Decide, Event, Exposure
from engine.profile import Profile

pytestmark = pytest.mark.slow

USERS, OWNERS = ("ada", "bob"), {"laptop": "ada", "phone": "bob"}
NAMES = ("Yes", "No", "Product Added", "Order Completed", "Product Viewed")
CATALOG = compiled(
    document(
        actions=[
            action("cart_reminder"),
            action("offer", purpose="service", channels=["web"], placements=["home_hero"]),
        ],
        journeys=[cart_journey(key=None, re_entry={"after": "0s", "concurrent": 1})],
        policies={
            "caps": [{"id": "offers", "limit": OFFERS_A_DAY, "per": "1d", "match": {"channel": "web"}}],
            "stops": [{"id": "purchase", "on": "Order Completed", "tier": "promotional"}],
        },
    )
)
KEPT = st.sampled_from(
    [crashing.nothing, crashing.everything, crashing.only_even, crashing.only_odd, crashing.one_less]
)
CRASH = st.none() | st.tuples(st.integers(1, 25), st.booleans(), KEPT)
Crash = tuple[int, bool, Kept] | None


@dataclass(frozen=True)
class Answered:
    """What a front end was told."""

    user: str
    at_ms: int
    shown: Shown | None
    answer: dict[str, Any]


class Runtime(RuleBasedStateMachine):
    """Each rule is one thing that a client does, and perhaps a crash in it."""

    def __init__(self) -> None:
        super().__init__()
        self._recent_max, self._page = history.RECENT_MAX, history.PAGE_EVENTS
        history.RECENT_MAX, history.PAGE_EVENTS = 6, 3
        self.shop, self.now_ms = Shop(OWNERS, START_MS), START_MS
        self.real = Crashing(CATALOG, shards=2, says=lambda message: "sent")
        self.real.open(Fuse())
        self.past: list[Event] = []
        self.answers: dict[str, Answered] = {}
        self.requests = 0
        for user in USERS:
            self._send([self._event("Identified", user, "", identifiers=(("email", f"{user}@example.com"),))], None)
        self._move(30_000, None)

    def teardown(self) -> None:
        self._move(2 * HOUR, None)
        self.agrees()
        history.RECENT_MAX, history.PAGE_EVENTS = self._recent_max, self._page

    # -- what clients do

    @rule(names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=6), user=st.sampled_from(USERS), crash=CRASH)
    def somebody_acts(self, names: list[str], user: str, crash: Crash) -> None:
        self._send([self._event(name, user, "") for name in dict.fromkeys(names)], crash)

    @rule(device=st.sampled_from(tuple(OWNERS)), size=st.integers(1, 5), crash=CRASH)
    def somebody_looks_around_on_a_device(self, device: str, size: int, crash: Crash) -> None:
        self._send([self._event("Product Viewed", "", device) for _ in range(size)], crash)

    @rule(device=st.sampled_from(tuple(OWNERS)), crash=CRASH)
    def somebody_logs_in_on_a_device(self, device: str, crash: Crash) -> None:
        self._send([self._event("Product Viewed", OWNERS[device], device)], crash)
        self._move(30_000, None)  # what the two have told one another has arrived by then

    @precondition(lambda self: self.past)
    @rule(data=st.data(), crash=CRASH)
    def a_client_repeats_what_it_sent_long_ago(self, data: st.DataObject, crash: Crash) -> None:
        self._send(data.draw(st.lists(st.sampled_from(self.past), min_size=1, max_size=3)), crash)

    @rule(halves=st.integers(1, 200), crash=CRASH)
    def time_passes(self, halves: int, crash: Crash) -> None:
        self._move(halves * 30_000, crash)

    @rule(user=st.sampled_from(USERS), crash=CRASH)
    def a_front_end_asks(self, user: str, crash: Crash) -> None:
        self.requests += 1
        wanted = self.shop.offer(user, self.now_ms)
        answer = self._decide(user, f"r{self.requests}", crash)
        assert bool(answer["actions"]) == (wanted is not None)
        self.answers[f"r{self.requests}"] = Answered(user, self.now_ms, wanted, answer)

    @precondition(lambda self: self.answers)
    @rule(data=st.data(), crash=CRASH)
    def a_front_end_asks_the_same_again(self, data: st.DataObject, crash: Crash) -> None:
        request = data.draw(st.sampled_from(sorted(self.answers)))
        first = self.answers[request]
        if self.now_ms - first.at_ms <= 24 * HOUR:
            assert self._decide(first.user, request, crash) == first.answer

    @precondition(lambda self: any(answered.shown for answered in self.answers.values()))
    @rule(data=st.data(), what=st.sampled_from(["viewed", "dismissed"]), crash=CRASH)
    def an_offer_is_seen_or_dismissed(self, data: st.DataObject, what: Any, crash: Crash) -> None:
        given = sorted(request for request, answered in self.answers.items() if answered.shown)
        answered = self.answers[data.draw(st.sampled_from(given))]
        (offered,), shown = answered.answer["actions"], answered.shown
        assert shown is not None
        if self.now_ms > offered["expiresAt"]:
            return
        told = Exposure(token=offered["trackingToken"], event=what, at_ms=self.now_ms)
        self._told(lambda: self.real.ask(answered.answer["profileId"], told), crash)
        if what == "viewed":
            shown.is_seen |= not shown.is_given_back
        else:
            shown.is_given_back |= not shown.is_seen

    @rule(kept=KEPT)
    def everything_dies_while_nothing_happens(self, kept: Kept) -> None:
        self.real.open(Fuse(), kept)

    # -- what both say

    @invariant()
    def agrees(self) -> None:
        engine = self.real.engine
        for name, wanted in self.shop.customers.items():
            user, device = (name, "") if name in USERS else ("", name)
            profile = engine.resolve(self.real.home(self._event("?", user, device, is_new=False)))
            record = engine.shard(profile).record(profile)
            if record is None:
                assert wanted == Customer()
                continue
            assert isinstance(record, Profile)
            self._compare(record, wanted)
        assert self.real.broken() == []
        for windows in engine.windows:
            windows.shard.cache = Activation(3_000)  # nearly everybody leaves memory

    def _compare(self, record: Profile, wanted: Customer) -> None:
        events = [*self.real.engine.shard(record.id).older(record.id), *record.history]
        assert sorted((each.at_ms, each.name, each.message_id) for each in events) == sorted(wanted.events)
        due = [run.due_ms for run in record.runs if run.due_ms]
        assert due == ([wanted.due_ms] if wanted.due_ms else [])
        outcomes = Counter(entry.outcome for entry in self.real.timeline(record.id) if entry.kind == "send")
        left = outcomes["sent"] + outcomes["unknown"]  # after a crash in a hand-over nobody knows
        assert (left, outcomes["withdrawn"], outcomes["held"]) == (wanted.sent, wanted.withdrawn, wanted.held)
        assert outcomes["sent"] <= sum(self.real.said.values())
        assert max(self.real.said.values(), default=1) == 1, "a mail was handed over twice"
        assert len(record.sends) == (wanted.leaving_ms > 0)
        counting = [shown for shown in wanted.shown if shown.counts(self.now_ms)]
        seen = [place for place in record.places if place.placement and place.at_ms > self.now_ms - 24 * HOUR]
        live = [place for place in seen if place.left_ms or place.expires_ms > self.now_ms]
        assert len(live) == len(counting) <= OFFERS_A_DAY

    # -- the way to the engine

    def _event(self, name: str, user: str, device: str, *, is_new: bool = True, **fields: Any) -> Event:
        message = f"m{len(self.past)}" if is_new else ""
        if name in ("Yes", "No"):
            fields["properties"] = {"purpose": "marketing", "channel": "email", "granted": name == "Yes"}
        said = {
            "kind": "track",
            "at_ms": self.now_ms,
            "received_at_ms": self.now_ms,
            "source": "test",
            "channel": "web",
        }
        who = {"user_id": user, "anonymous_id": device, "message_id": message}
        event = Event(name="Consent Updated" if name in ("Yes", "No") else name, **(said | who | fields))
        if is_new:
            self.past.append(event)
        return event

    def _send(self, events: list[Event], crash: Crash) -> None:
        self._told(lambda: self.real.stage(events), crash)
        for event in events:
            granted = event.properties.get("granted")
            name = event.name if granted is None else "Yes" if granted else "No"
            self.shop.stage(event.user_id, event.anonymous_id, event.at_ms, name, event.message_id)

    def _move(self, by_ms: int, crash: Crash) -> None:
        self.now_ms += by_ms
        self._told(lambda: self.real.advance(self.now_ms), crash)
        self.shop.advance(self.now_ms)

    def _decide(self, user: str, request: str, crash: Crash) -> Any:
        names = (("user_id", user),)
        told = Decide(placement="home_hero", channel="web", request_id=request, identifiers=names)
        return self._told(lambda: self.real.ask(self.real.home(told), told), crash)

    def _told(self, tell: Any, crash: Crash) -> Any:
        """Until it is acknowledged, as clients do."""
        if crash is None:
            return tell()
        at, after, kept = crash
        self.real.arm(Fuse(at, after=after))
        try:
            answer = tell()
            self.real.arm(Fuse())
        except PowerCut:
            self.real.open(Fuse(), kept)
            answer = tell()
        return answer


TestRuntime = Runtime.TestCase
TestRuntime.settings = settings(max_examples=100, stateful_step_count=30, deadline=None, report_multiple_bugs=False)
