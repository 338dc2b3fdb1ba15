"""Random lives, as a state machine: people are identified, aliased, merged, split, joined again and erased over four
shards, in any interleaving, while the power fails at any operation of a store.

Whatever happens, every event, message, no, run, draw and audit entry is accounted for once, the journals say the same
as the stores, and no pointer leads nowhere.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from actors.maintenance import verify_replay
from actors.storage import keys
from engine import codec
from engine.errors import InvalidInput, Moved, NotReady, Parked
from engine.identity import home
from engine.inputs import AnyInput, Bind, ConsentChange, Decide, Erase, Event, Rejoin, Split
from engine.profile import Profile, Tombstone
from support import crashing
from support.crashing import Crashing, Kept
from support.faulty_store import Fuse, PowerCut
from support.world import MINUTE, START_MS, action, cart_journey, compiled, document

VARIANTS = [{"id": name, "web": {"content": {"title": name}}} for name in ("a", "b")]
CATALOG = compiled(
    document(
        actions=[
            action("cart_reminder", purpose="service", channels=["sms"]),
            action("banner", purpose="service", channels=["web"], placements=["home_hero"], variants=VARIANTS)
            | {"variants": VARIANTS},
        ],
        journeys=[
            cart_journey(steps=[{"wait": {"for": "1h"}}, {"send": {"action": "cart_reminder", "channel": "sms"}}])
        ],
        policies={
            "caps": [{"id": "texts", "limit": 2, "per": "7d", "match": {"channel": "sms"}}],
            "stops": [{"id": "purchase", "on": "Order Completed", "tier": "promotional"}],
        },
    )
    | {
        "identity.yaml": {  # users and cards join freely, so that there is much to undo
            "namespaces": {"user_id": {"unique": False}, "loyalty_id": {"shared_above": None}},
        }
    }
)
USERS, DEVICES, MAILS = ("ada", "bob", "cy"), ("d1", "d2", "d3"), ("a@example.com", "b@example.com")
CARDS = ("c1", "c2")
NAMES = [
    *(("user_id", user) for user in USERS),
    *(("anonymous_id", device) for device in DEVICES),
    *(("loyalty_id", card) for card in CARDS),
]
SETTLES_IN = 60  # windows; a message that goes on for longer goes round
KEPT: list[Kept] = [crashing.nothing, crashing.everything, crashing.only_even, crashing.one_less]


class Conservation(RuleBasedStateMachine):
    """Random lives of three users with three devices and two mailboxes."""

    @initialize()
    def begin(self) -> None:
        self.here = Crashing(CATALOG, shards=4, says=lambda message: "sent")
        self.here.open(Fuse())
        self.kept: Kept = crashing.everything
        self.now_ms, self.number = START_MS, 0
        self.forgotten: set[str] = set()  # sends of erased people
        self.told: set[str] = set()  # message ids of events that nobody has erased
        self.noes: set[bytes] = set()  # audit chains of the profiles for whom a no was said
        self.bound: set[str] = set()  # mailboxes whose reader has said no
        self.drew: set[bytes] = set()  # audit chains of the profiles that have drawn a variant
        self.chains: dict[bytes, int] = {}  # audit chains that were seen, and how long they were

    # -- steps

    @rule(name=st.sampled_from(("Page Viewed", "Product Added", "Order Completed")), who=st.sampled_from(NAMES))
    def does(self, name: str, who: tuple[str, str]) -> None:
        self.tell(self.event(name, who))

    @rule(user=st.sampled_from(USERS), device=st.sampled_from(DEVICES))
    def logs_in(self, user: str, device: str) -> None:
        self.tell(self.event("Page Viewed", ("user_id", user), ("anonymous_id", device)))

    @rule(user=st.sampled_from(USERS), card=st.sampled_from(CARDS))
    def uses_card(self, user: str, card: str) -> None:
        self.tell(self.event("Product Added", ("user_id", user), ("loyalty_id", card)))

    @rule(user=st.sampled_from(USERS), mail=st.sampled_from(MAILS))
    def states_mail(self, user: str, mail: str) -> None:
        self.tell(self.event("Identified", ("user_id", user), ("email", mail), kind="identify", traits={"email": mail}))

    @rule(user=st.sampled_from(USERS), previous=st.sampled_from((*USERS, *DEVICES)))
    def aliases(self, user: str, previous: str) -> None:
        self.tell(self.event("Aliased", ("user_id", user), kind="alias", previous_id=previous))

    @rule(who=st.sampled_from(NAMES))
    def says_no(self, who: tuple[str, str]) -> None:
        said = ConsentChange(
            purpose="marketing", channel="email", granted=False, at_ms=self.now_ms, source="test", identifiers=(who,)
        )
        self.settle()
        self.ask(self.home(who), said)
        self.noes |= self.chains_of(self.resolve(self.home(who))).keys()

    @rule(mail=st.sampled_from(MAILS))
    def mailbox_says_no(self, mail: str) -> None:
        place = self.home(("email", mail))
        said = ConsentChange(
            purpose="marketing", channel="email", granted=False, at_ms=self.now_ms, source="mailbox", address=place
        )
        self.settle()
        self.do(lambda: self.at_place(place, Bind(change=said)))
        self.bound.add(mail)

    @rule(who=st.sampled_from(NAMES))
    def decides(self, who: tuple[str, str]) -> None:
        self.number += 1
        self.settle()
        asked = Decide(placement="home_hero", channel="web", identifiers=(who,), request_id=f"r{self.number}")
        answer = self.ask(self.home(who), asked)
        profile = self.resolve(self.home(who))
        if answer and answer["actions"] and isinstance(self.record(profile), Profile):
            self.drew.add(keys.origin_of(profile))

    @rule(minutes=st.sampled_from((0, 1, 30, 61)))
    def time_passes(self, minutes: int) -> None:
        self.now_ms += minutes * MINUTE
        self.do(lambda: self.here.advance(self.now_ms))

    @rule(data=st.data())
    def splits(self, data: st.DataObject) -> None:
        profile, past = self.any_merge(data, is_undone=False)
        if past is not None:
            self.try_telling(profile, Split(merge_id=past))

    @rule(data=st.data())
    def rejoins(self, data: st.DataObject) -> None:
        profile, past = self.any_merge(data, is_undone=True)
        if past is not None:
            self.try_telling(profile, Rejoin(merge_id=past))

    @rule(who=st.sampled_from(NAMES))
    def erases(self, who: tuple[str, str]) -> None:
        self.settle()
        profile = self.resolve(self.home(who))
        if not isinstance(self.record(profile), Profile):
            return
        record = self.record(profile)
        self.forgotten |= {place.ref for place in record.places} & {send for send, _ in self.here.said}
        gone = [event.message_id for event in self.events_of(profile)]
        chains = self.chains_of(profile).keys()
        # Where the power failed after the commit, the repeated input finds nobody.
        if self.try_telling(profile, Erase()) or not isinstance(self.record(profile), Profile):
            self.told -= set(gone)
            self.noes -= chains
            self.drew -= chains
            self.chains = {chain: size for chain, size in self.chains.items() if chain not in chains}
        self.settle()
        self.bound = {mail for mail in self.bound if self.who_has(mail)}

    @rule(after=st.integers(1, 40), kept=st.sampled_from(KEPT))
    def power_will_fail(self, after: int, kept: Kept) -> None:
        self.kept = kept
        self.here.arm(Fuse(after))

    # -- what must hold

    @rule()
    def everything_is_accounted_for(self) -> None:
        self.here.arm(Fuse())
        self.settle()
        assert self.here.broken() == []
        assert self.here.faults() == []
        assert self.here.engine.between() == []
        living = self.here.profiles()
        events = Counter(event.message_id for name in living for event in self.events_of(name))
        assert events == Counter(self.told), (events - Counter(self.told), Counter(self.told) - events)
        runs = Counter(run.id for profile in living.values() for run in profile.runs)
        assert all(count == 1 for count in runs.values()), runs
        places = {place.ref for profile in living.values() for place in profile.places if place.left_ms}
        assert all(count == 1 for count in self.here.said.values()), "no message leaves twice"
        assert {send for send, _ in self.here.said} - self.forgotten <= places
        holds: dict[bytes, Profile] = {}
        for name, profile in living.items():
            for chain, size in self.chains_of(name).items():
                assert chain not in holds, f"{holds[chain].id} and {name} have the chain {chain.hex()}"
                holds[chain] = profile
                assert size >= self.chains.get(chain, 0)
                self.chains[chain] = size
        assert self.chains.keys() <= holds.keys()
        for chain in self.noes:
            assert self.has_no(holds[chain], ""), chain
        for chain in self.drew:
            assert any(name.startswith("variant") for name in holds[chain].drawn), chain
        for mail in self.bound:
            place = self.home(("email", mail))
            for profile in self.who_has(mail):
                assert self.has_no(profile, place), (mail, profile.id)
        assert self.differences() == []

    def teardown(self) -> None:
        if hasattr(self, "here"):
            self.everything_is_accounted_for()

    # -- helpers

    def event(self, name: str, *who: tuple[str, str], **fields: Any) -> Event:
        self.number += 1
        known = dict(who)
        base: dict[str, Any] = {"kind": "track", "received_at_ms": self.now_ms, "source": "test", "channel": "web"}
        others = tuple(pair for pair in who if pair[0] not in ("user_id", "anonymous_id"))
        return Event(
            name=name,
            at_ms=self.now_ms,
            message_id=f"m{self.number}",
            user_id=known.get("user_id", ""),
            anonymous_id=known.get("anonymous_id", ""),
            identifiers=others,
            properties={"cart_id": "c"},
            **(base | fields),
        )

    def tell(self, event: Event) -> None:
        self.do(lambda: self.here.stage([event]))
        self.told.add(event.message_id)
        self.do(lambda: self.here.advance(self.now_ms))

    def ask(self, profile: str, told: AnyInput) -> dict[str, Any] | None:
        return self.do(lambda: self.here.ask(profile, told))

    def try_telling(self, profile: str, told: AnyInput) -> bool:
        try:
            self.ask(profile, told)
        except (NotReady, InvalidInput, Parked):
            return False
        return True

    def at_place(self, place: str, told: AnyInput) -> None:
        while True:
            shard = self.here.engine.shard(place)
            try:
                shard.tell(place, told)
                shard.commit()
                return
            except Moved as moved:  # an erasure
                place = moved.to

    def do(self, step: Any) -> Any:
        while True:
            try:
                return step()
            except PowerCut:
                self.here.open(Fuse(), self.kept)

    def settle(self) -> None:
        for _ in range(SETTLES_IN):
            self.now_ms += 10_000
            self.do(lambda: self.here.advance(self.now_ms))
            if not any(windows.shard.messages for windows in self.here.engine.windows):
                return
        raise AssertionError([told for each in self.here.engine.windows for told in each.shard.messages.values()])

    def home(self, who: tuple[str, str]) -> str:
        found = home.home_of(CATALOG, Decide(placement="x", channel="web", identifiers=(who,)))
        assert found is not None
        return found

    def record(self, profile: str) -> Any:
        return self.here.engine.shard(profile).record(profile)

    def resolve(self, profile: str) -> str:
        for _ in range(20):
            record = self.record(profile)
            if not isinstance(record, Tombstone):
                return profile
            profile = record.to
        raise AssertionError("pointers in a ring")

    def profile_of(self, who: tuple[str, str]) -> Profile:
        found = self.record(self.resolve(self.home(who)))
        assert isinstance(found, Profile), f"nobody is known by {who}"
        return found

    def has_no(self, profile: Profile, address: str) -> bool:
        return any(
            not word.granted and word.address[:-2] in ("", address[:-2])
            for word in profile.consent
            if word.purpose == "marketing" and word.channel == "email"
        )

    def who_has(self, mail: str) -> list[Profile]:
        return [
            profile
            for profile in self.here.profiles().values()
            if any((link.namespace, link.value) == ("email", mail) for link in profile.identifiers)
        ]

    def any_merge(self, data: st.DataObject, *, is_undone: bool) -> tuple[str, str | None]:
        self.settle()
        found = [
            (name, past.id)
            for name, profile in sorted(self.here.profiles().items())
            for past in profile.ledger
            if past.id and bool(past.undone_ms) == is_undone
        ]
        return data.draw(st.sampled_from(found)) if found else ("", None)

    def events_of(self, profile: str) -> list[Any]:
        shard = self.here.engine.shard(profile)
        record = shard.record(profile)
        assert isinstance(record, Profile)
        return [*shard.older(profile), *record.history]

    def chains_of(self, profile: str) -> Counter[bytes]:
        return Counter(key[:4] for key, _ in self.here.engine.shard(profile).records("audit", profile))

    def differences(self) -> list[str]:
        found = []
        for windows in self.here.engine.windows:
            shard = windows.shard
            for profile in shard.all_profiles():
                stored = codec.decode_record(codec.encode_record(self.record(profile)))
                found += [
                    f"{profile}: {what}"
                    for what in verify_replay.differences(shard.batch, profile, stored, shard.catalogs)
                ]
        return found
