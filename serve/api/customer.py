"""The models of one customer: the profile, its timeline, its consent, why, and all of it together."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from engine.vocabulary import Status, Tier
from serve.api.consent import Word
from serve.api.reviews import Likely
from serve.api.splits import Merge
from serve.api.transitions import TRANSITION, ProfileTransition
from serve.api.types import ABSENT, AT, PROFILE, VERSION, Answer, Time, example

_WORD = {
    "purpose": "marketing",
    "channel": "email",
    "granted": True,
    "effective": True,
    "at": AT,
    "source": "preference centre",
    "receiptId": "c-41",
    "text": "Yes, send me news",
}


class Link(Answer):
    """An identifier of a customer. Of addresses also whether it is `verified`, whether it is the `current` one, and
    then `why` (`confirmed`, `verified`, `stated` or `mentioned`) and `since` when. `source` is the name of the key that
    named it first; `shared`: several people have it, and it joins nobody."""

    namespace: str
    value: str
    confidence: float
    firstSeen: Time
    lastSeen: Time
    verified: bool = ABSENT
    current: bool = ABSENT
    why: str = ABSENT
    since: Time = ABSENT
    source: str = ABSENT
    shared: bool = ABSENT


class CapUse(Answer):
    """How full a cap is for this customer."""

    cap: str
    limit: int
    used: int
    reserved: int
    left: int
    resetsAt: Time | None


class JourneyRun(Answer):
    """A run of a journey; `waitsFor` is the reason for which it waits, where there is one, and `branchOf` the run whose
    arm of a `parallel` it goes."""

    journey: str
    run: str
    key: str
    version: str
    step: str
    state: str
    enteredAt: Time
    endedBy: str | None
    waitsFor: str = ABSENT
    branchOf: str = ABSENT


class Timer(Answer):
    """A step of a journey that falls due, and when."""

    at: Time
    journey: str
    step: str


class Suppression(Answer):
    """A suppression that holds."""

    suppression: str
    tier: str | None


class Promise(Answer):
    """An offer that stands, because it was shown."""

    subject: str
    action: str
    discount: float
    priceMinor: int | None
    until: Time


class PendingSend(Answer):
    """A message that was decided and is not settled."""

    send: str
    action: str
    channel: str
    state: str
    waitsFor: str = ABSENT


class UnusableAddress(Answer):
    """A value that was stated as an e-mail address or a telephone, and why nothing can be sent there."""

    namespace: Literal["email", "phone"]
    value: Any
    reason: str


class DrawnVariant(Answer):
    """The form of an action that this customer always gets, and since when."""

    action: str
    variant: str
    at: Time


class DrawnSide(Answer):
    """The side of a holdout on which this customer is, and since when."""

    holdout: str
    side: Literal["in", "out"]
    at: Time


class Drawn(Answer):
    """The draws for this customer; they stay."""

    variants: list[DrawnVariant]
    holdouts: list[DrawnSide]


class Profile(Answer):
    """A customer."""

    model_config = example(
        profileId=PROFILE,
        identifiers=[{"namespace": "user_id", "value": "ada", "confidence": 1.0, "firstSeen": AT, "lastSeen": AT}],
        addresses={"email": "ada@shop.example", "phone": None},
        unusableAddresses=[{"namespace": "phone", "value": "0171", "reason": "is not a possible one of DE"}],
        traits={"name": "Ada", "country": "DE"},
        segments=["loyal"],
        consent=[_WORD],
        awaiting=[],
        caps=[{"cap": "email_weekly", "limit": 2, "used": 1, "reserved": 0, "left": 1, "resetsAt": AT}],
        journeys=[],
        timers=[{"at": AT, "journey": "abandoned_cart", "step": "wait_1"}],
        suppressions=[],
        holdouts=[],
        drawn={"variants": [{"action": "spring_offer", "variant": "a", "at": AT}], "holdouts": []},
        promises=[],
        fatigue={"shoes": 0.2},
        pendingSends=[],
        likely=[],
        merges=[],
        transitions=[TRANSITION],
    )

    profileId: str
    identifiers: list[Link]
    addresses: dict[str, str | None]
    unusableAddresses: list[UnusableAddress] = ABSENT
    traits: dict[str, Any]
    segments: list[str]
    consent: list[Word]
    awaiting: list[Word]
    caps: list[CapUse]
    journeys: list[JourneyRun]
    timers: list[Timer]
    suppressions: list[Suppression]
    holdouts: list[str]
    drawn: Drawn
    promises: list[Promise]
    fatigue: dict[str, float]
    pendingSends: list[PendingSend]
    likely: list[Likely]
    merges: list[Merge]
    transitions: list[ProfileTransition] = Field(description="Changes of touchpoint, the newest at the end")


class Consents(Answer):
    """Each purpose and channel with the word that stands, and what awaits confirmation."""

    model_config = example(profileId=PROFILE, consent=[_WORD], awaiting=[])

    profileId: str
    consent: list[Word]
    awaiting: list[Word]


class Gate(Answer):
    """One way that an action may go, and the first reason against it; empty where it would go."""

    channel: str
    placement: str | None
    wouldGo: bool
    reason: str
    variant: str = Field(ABSENT, description="What the customer would see")
    sentence: str = Field(ABSENT, description="For the customer, where it would go")
    asks: str = Field(
        ABSENT, description="`address`: another profile counts for it, and is asked before a message leaves"
    )
    condition: dict[str, Any] = Field(ABSENT, description="The part that failed: `path`, `wanted`, `saw`")


class ActionWhy(Answer):
    """One action on each of its channels and placements."""

    actionId: str
    tier: Tier
    gates: list[Gate]


class Whereabouts(Answer):
    """Where the customer stands with a journey: inside since `at`, or why not."""

    journeyId: str
    status: Status
    inside: bool
    reason: str = Field(description="Empty for somebody inside")
    condition: dict[str, Any] = Field(ABSENT, description="The part that failed: `path`, `wanted`, `saw`")
    at: Time = ABSENT


class Why(Answer):
    """One action on each of its channels and placements, or `actions`, a row each; and `journeys`, a row each."""

    model_config = example(
        profileId=PROFILE,
        catalogVersion=VERSION,
        actionId="spring_offer",
        tier="promotional",
        gates=[{"channel": "web", "placement": "home_hero", "wouldGo": False, "reason": "cap.web_daily"}],
    )

    profileId: str
    catalogVersion: str
    actionId: str = ABSENT
    tier: Tier = ABSENT
    gates: list[Gate] = ABSENT
    actions: list[ActionWhy] = ABSENT
    journeys: list[Whereabouts] = ABSENT


class Export(Answer):
    """Everything that is held on a person, as it is kept."""

    model_config = example(
        profileId=PROFILE, exportedAt=AT, profile={"profileId": PROFILE}, state=[], history=[], audit=[], journal=[]
    )

    profileId: str
    exportedAt: Time
    profile: dict[str, Any]
    state: list[Any]
    history: list[Any]
    audit: list[Any]
    journal: list[Any]
