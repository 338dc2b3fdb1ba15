"""Mailboxes that several profiles have, under any delay, repetition and crash: no cap of an address is exceeded, and
nothing leaves for it after an opt-out by the address was acknowledged (Invariants 4 and 5).

Four shards without a conductor: the machine itself says which message arrives next, whether it arrives twice, and when
a shard dies. Messages of one profile to another keep their order, as on the sockets.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support.world import START_MS, action, cart_journey, compiled, document

from actors.platform.clock import ReplayClock
from actors.shard.outbox import handing_out
from actors.shard.shard import Shard
from actors.storage import keys
from actors.storage.memory_store import MemoryStore
from actors.transport.placement import shard_of
from engine.errors import Away, Moved, NotFound, NotReady, Parked
from engine.identity.home import home_of
from engine.inputs import AnyInput, Bind, ConsentChange, Erase, Event, Settle
from engine.profile import Profile, Tombstone
from engine.seeds import next_epoch, profile_id

SHARDS, HOUR_MS, LIMIT = 4, 3_600_000, 2
ADDRESSES = ("ours@home.example", "mine@home.example")
USERS, DEVICES = ("ada", "bea", "cem", "dan"), ("laptop", "tablet")
LETTER = cart_journey(
    id="letters", trigger={"event": "Letter Wanted"}, key="number",
    steps=[{"send": {"action": "letter", "channel": "email", "on_held": "exit"}}],
)  # fmt: skip
NOTE = LETTER | {"id": "notes", "steps": [{"send": {"action": "note", "channel": "email", "on_held": "exit"}}]}
CAP = {"id": "hourly", "limit": LIMIT, "per": "1h", "match": {"channel": "email", "tier": "promotional"}}
# Nobody is asked for room for a note: it leaves as soon as it may.
CATALOG = compiled(document(actions=[action("letter"), action("note", tier="lifecycle")], journeys=[LETTER, NOTE],
                            policies={"caps": [CAP]}))  # fmt: skip
WHO = st.sampled_from(USERS)
WHERE = st.sampled_from(ADDRESSES)


@dataclass
class Mail:
    """A message that a provider has, or may have."""

    address: str
    action: str
    at_ms: int


class Mailboxes(RuleBasedStateMachine):
    """Each rule is something that people, the network, a provider or a failing machine does."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms, self.count, self.dispatcher = START_MS, 0, 0
        self.stores = [MemoryStore() for _ in range(SHARDS)]
        self.clocks = [ReplayClock() for _ in range(SHARDS)]
        self.shards = [self._opened(number) for number in range(SHARDS)]
        self.waiting: list[tuple[str, AnyInput]] = []  # inputs of profiles that are on their way to another place
        self.mails: list[Mail] = []
        self.under_way: dict[tuple[str, str], Mail] = {}
        self.saying_no: set[str] = set()  # opt-outs that are not acknowledged yet
        self.said_no: set[str] = set()
        for user in USERS:
            self._agrees(user)
        self._pass(1)

    # -- what people do

    @rule(user=WHO, address=WHERE, public=st.booleans())
    def somebody_has_an_address(self, user: str, address: str, public: bool) -> None:
        self._tell(self._event("Identified", user, kind="identify", traits={"email": address}, public=public,
                               identifiers=(("email", address),)))  # fmt: skip

    @rule(users=st.lists(WHO, min_size=1, max_size=4, unique=True))
    def letters_are_wanted(self, users: list[str]) -> None:
        for user in users:
            self._tell(self._event("Letter Wanted", user))

    @rule(address=WHERE, public=st.booleans(), at_once=st.booleans())
    def a_stranger_has_an_address_and_wants_a_letter(self, address: str, public: bool, at_once: bool) -> None:
        user = f"stranger{self.count}"
        self._agrees(user)
        self.somebody_has_an_address(user, address, public)
        self.letters_are_wanted([user])
        if at_once:
            self.a_dispatcher_pulls("sent")

    @rule(device=st.sampled_from(DEVICES), address=WHERE)
    def a_visitor_leaves_an_address(self, device: str, address: str) -> None:
        self._tell(self._event("Seen", "", device, identifiers=(("email", address),), public=True))

    @rule(device=st.sampled_from(DEVICES), user=WHO)
    def a_visitor_logs_in(self, device: str, user: str) -> None:
        self._tell(self._event("Seen", user, device))

    @rule(address=WHERE)
    def a_guest_orders(self, address: str) -> None:
        self._tell(self._event("Order Placed", "", identifiers=(("email", address),)))

    @rule(address=WHERE, really=st.integers(0, 5))
    def a_mailbox_opts_out(self, address: str, really: int) -> None:
        if really:  # most runs go on for a while before the first no
            return
        place = profile_id(CATALOG.id_key, "email", address)
        said = ConsentChange(
            purpose="*", channel="email", granted=False, at_ms=self.now_ms, source="link", address=place
        )
        if self._tell_profile(place, Bind(change=said)):
            self.saying_no.add(address)

    @rule(user=WHO, really=st.integers(0, 3))
    def somebody_is_erased(self, user: str, really: int) -> None:
        """Whoever has an address of theirs goes on under its cap and its no. With nobody left, all is forgotten."""
        if really:
            return
        self.all_messages_arrive()
        profile = profile_id(CATALOG.id_key, "user_id", user)
        lost = [address for address in ADDRESSES if self._is_known_to_nobody_but(profile, address)]
        with contextlib.suppress(NotFound):
            if self._tell_profile(profile, Erase()):
                for address in lost:
                    self._forget(address)
                self._agrees(user)

    # -- what the network, providers and machines do

    @precondition(lambda self: any(shard.messages for shard in self.shards))
    @rule(data=st.data(), count=st.integers(1, 12), again=st.booleans())
    def messages_arrive(self, data: Any, count: int, again: bool) -> None:
        for _ in range(count):
            heads = self._heads()
            if not heads:
                return
            self._bring(data.draw(st.sampled_from(heads)), again=again)

    @rule()
    def all_messages_arrive(self) -> None:
        for _ in range(400):
            heads = self._heads()
            if not [head for head in heads if self._bring(head)]:
                return

    @rule(ending=st.sampled_from(["sent", "sent", "retry", "refused", "later"]))
    def a_dispatcher_pulls(self, ending: Any) -> None:
        for shard in self.shards:
            for entry in list(shard.outbox.ready(self.now_ms)):
                message = handing_out.authorise(shard, entry, f"d{self.dispatcher}")
                shard.commit()
                if message is not None:
                    self._leaves(message)
                    if ending != "later":
                        self._settle(message["profile"], message["send"], ending)

    @rule(ending=st.sampled_from(["sent", "later"]))
    def everything_goes_well_for_a_while(self, ending: Any) -> None:
        for _ in range(3):
            self.all_messages_arrive()
            self.a_dispatcher_pulls(ending)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), outcome=st.sampled_from(["sent", "retry", "refused", "unknown"]))
    def a_provider_answers(self, data: Any, outcome: str) -> None:
        self._settle(*data.draw(st.sampled_from(sorted(self.under_way))), outcome)

    @rule(number=st.integers(0, SHARDS - 1))
    def a_shard_dies(self, number: int) -> None:
        self.shards[number] = self._opened(number)

    @rule(number=st.integers(0, SHARDS - 1))
    def another_dispatcher_takes_over(self, number: int) -> None:
        self.dispatcher += 1
        for shard in self.shards:
            shard.settle_orphans(f"d{self.dispatcher}")
            shard.commit()
        self.mails += self.under_way.values()  # what it had is unknown, and counts
        self.under_way.clear()

    @rule(ms=st.sampled_from([1_000, 31_000, 20 * 60_000, HOUR_MS - 1, HOUR_MS]))
    def time_passes(self, ms: int) -> None:
        self._pass(ms)

    # -- what must hold

    @invariant()
    def no_address_gets_more_than_its_cap_allows(self) -> None:
        mails = [*self.mails, *self.under_way.values()]
        for address in ADDRESSES:
            times = sorted(mail.at_ms for mail in mails if (mail.address, mail.action) == (address, "letter"))
            for first, last in zip(times, times[LIMIT:], strict=False):
                assert last - first >= HOUR_MS, f"{address}: {LIMIT + 1} messages within an hour"

    @invariant()
    def no_turn_has_failed(self) -> None:
        for shard in self.shards:
            assert not [letter.reason for letter in shard.dead.all()]

    def _leaves(self, message: dict[str, Any]) -> None:
        address = message["address"]
        assert address not in self.said_no, f"a message to {address} after it has opted out"
        self.under_way[(message["profile"], message["send"])] = Mail(
            address, message["content"]["subject"], self.now_ms
        )

    def _forget(self, address: str) -> None:
        self.mails = [mail for mail in self.mails if mail.address != address]
        self.said_no.discard(address)
        self.saying_no.discard(address)

    def _is_known_to_nobody_but(self, profile: str, address: str) -> bool:
        place = profile_id(CATALOG.id_key, "email", address)
        while isinstance(record := self._record(place), Tombstone) and record.to == next_epoch(place):
            place = record.to
        if self._living(place) != self._living(profile) or record is None:
            return False
        return not {self._living(holder) for holder in record.holders} - {self._living(profile)}

    def _living(self, profile: str) -> str:
        while isinstance(record := self._record(profile), Tombstone):
            profile = record.to
        return profile

    def _record(self, profile: str) -> Profile | Tombstone | None:
        return self.shards[shard_of(profile, SHARDS)].record(profile)

    # -- the machinery

    def _opened(self, number: int) -> Shard:
        self.clocks[number].move_to(self.now_ms)
        return Shard(number, self.stores[number], CATALOG, self.clocks[number])

    def _pass(self, ms: int) -> None:
        self.now_ms += ms
        for clock, shard in zip(self.clocks, self.shards, strict=True):
            clock.move_to(self.now_ms)
            while shard.fire_timers(self.now_ms):
                pass
            shard.commit()

    def _event(self, name: str, user: str, device: str = "", *, kind: str = "track", **fields: Any) -> Event:
        self.count += 1
        return Event(kind=kind, name=name, at_ms=self.now_ms, received_at_ms=self.now_ms, source="test", channel="web",
                     message_id=f"m{self.count}", user_id=user, anonymous_id=device,
                     properties={"number": str(self.count)}, **fields)  # fmt: skip

    def _agrees(self, user: str) -> None:
        """A yes from before any no, so it lifts none."""
        self._tell(ConsentChange(purpose="marketing", channel="email", granted=True, at_ms=START_MS, source="form",
                                 imported=True, identifiers=(("user_id", user),)))  # fmt: skip

    def _tell(self, told: Any) -> None:
        home = home_of(CATALOG, told)
        assert home is not None
        self.waiting.append((home, told))
        self._tell_waiting()

    def _tell_waiting(self) -> None:
        self.waiting = [(home, told) for home, told in self.waiting if not self._tell_profile(home, told)]

    def _tell_profile(self, profile: str, told: AnyInput) -> bool:
        for _ in range(20):
            shard = self.shards[shard_of(profile, SHARDS)]
            try:
                shard.tell(profile, told)
            except Moved as moved:
                profile = moved.to
                continue
            except (Parked, Away, NotReady):
                return False
            shard.commit()
            return True
        raise AssertionError("pointers go round in a ring")

    def _heads(self) -> list[tuple[int, bytes]]:
        """The first message of each profile to each other: (shard, key)."""
        found: dict[tuple[str, str], tuple[int, bytes]] = {}
        for number, shard in enumerate(self.shards):
            for key, (to, _) in sorted(shard.messages.items()):
                found.setdefault((keys.profile_of(key), to), (number, key))
        return sorted(found.values())

    def _bring(self, head: tuple[int, bytes], *, again: bool = False) -> bool:
        number, key = head
        shard = self.shards[number]
        to, told = shard.messages[key]
        receiver = self.shards[shard_of(to, SHARDS)]
        seq = int.from_bytes(key[keys.PROFILE_BYTES :])
        has_arrived = receiver.deliver(to, told, keys.profile_of(key), seq)
        receiver.commit()
        if has_arrived and not again:
            shard.message_done(key)
            shard.commit()
        self._tell_waiting()
        self._acknowledge()
        return has_arrived

    def _acknowledge(self) -> None:
        """An opt-out is acknowledged when everything that the address's place has said has arrived."""
        senders = {keys.profile_of(key) for shard in self.shards for key in shard.messages}
        for address in sorted(self.saying_no):
            if profile_id(CATALOG.id_key, "email", address) not in senders:
                self.saying_no.discard(address)
                self.said_no.add(address)

    def _settle(self, profile: str, send: str, outcome: Any) -> None:
        told = Settle(send_id=send, outcome=outcome)
        shard = self.shards[shard_of(profile, SHARDS)]
        if not shard.tell_or_forward(profile, told):
            return  # its profile is on its way to another place: the provider's answer is brought again
        shard.commit()
        mail = self.under_way.pop((profile, send))
        if outcome in ("sent", "unknown"):
            self.mails.append(mail)


TestMailboxes = Mailboxes.TestCase
TestMailboxes.settings = settings(
    max_examples=int(os.environ.get("SEGUE_MAILBOXES", "25")), stateful_step_count=60, deadline=None
)
