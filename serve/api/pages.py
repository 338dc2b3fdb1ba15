"""The models of answers to pages and apps: decisions, exposures, events, flags, settings, and every problem."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from engine.vocabulary import Outcome, Tier
from serve.api.types import ABSENT, AT, PROFILE, VERSION, Answer, Time, example

TOKEN = "eyJwIjoi.c2hvd24"


class Offer(Answer):
    """The promise of an action: its subject by kind (`product`, `category`), and until when it is honoured."""

    discount: float
    priceMinor: int | None
    currency: str
    until: int = Field(description="Milliseconds since 1970")


class Shown(Answer):
    """An action to show, and the token with which its exposures are told."""

    actionId: str
    variant: str
    content: dict[str, Any]
    score: float
    tier: Tier
    expiresAt: Time
    trackingToken: str
    offer: Offer = Field(ABSENT, description="There where the action promises something")


class Candidate(Answer):
    """An action, its outcome and the reason; `condition` is the part of a condition that failed."""

    actionId: str
    outcome: Outcome
    reason: str
    score: float
    terms: dict[str, Any]
    variant: str = ABSENT
    sentence: str = ABSENT
    condition: dict[str, Any] = ABSENT


class Explanation(Answer):
    """Every action of the catalog: the chosen first."""

    candidates: list[Candidate]


class Decision(Answer):
    """The actions to show, the best first; where there are none, what the placement shows by default."""

    model_config = example(
        decisionId="d0c1b2a3",
        profileId=PROFILE,
        catalogVersion=VERSION,
        actions=[
            {
                "actionId": "spring_offer",
                "variant": "a",
                "content": {"title": "Still thinking about it?", "image": "spring.jpg"},
                "score": 0.2,
                "tier": "promotional",
                "expiresAt": AT,
                "trackingToken": TOKEN,
            }
        ],
    )

    decisionId: str = Field(description="Empty where there was no decision")
    profileId: str
    catalogVersion: str
    actions: list[Shown]
    default: dict[str, Any] = Field(ABSENT, description="There where `actions` is empty")
    degraded: bool = Field(ABSENT, description="There, and true, where no decision came in time")
    explanation: Explanation = Field(ABSENT, description="There where it was asked for")


class Told(Answer):
    """Whether the exposure was recorded; for a repeat, and for a token that is too old, the reason why not."""

    model_config = example(success=True, recorded="viewed", reason="")

    success: Literal[True]
    recorded: str | bool
    reason: str


class Rejection(Answer):
    """An item of a batch that was not taken."""

    index: int
    field: str
    message: str


class Taken(Answer):
    """The events are durable. Of a batch, the good ones are; `rejected` names the first hundred of the others."""

    model_config = example(success=True)

    success: Literal[True]
    rejected: list[Rejection] = ABSENT
    rejectedTotal: int = ABSENT


class Flag(Answer):
    """A placement as a flag; `metadata` has the tracking token."""

    model_config = example(
        key="home_hero",
        value={"title": "Still thinking about it?"},
        variant="spring_offer.a",
        reason="TARGETING_MATCH",
        metadata={"decisionId": "d0c1b2a3", "actionId": "spring_offer", "trackingToken": TOKEN},
    )

    key: str
    value: dict[str, Any]
    variant: str
    reason: Literal["TARGETING_MATCH", "DEFAULT"]
    metadata: dict[str, Any]


class Flags(Answer):
    """Every placement as a flag."""

    model_config = example(
        flags=[{"key": "home_hero", "value": {}, "variant": "none", "reason": "DEFAULT", "metadata": {}}]
    )

    flags: list[Flag]


class FlagFailure(Answer):
    """Why there is no value, in the words of OpenFeature."""

    model_config = example(key="home_herro", errorCode="FLAG_NOT_FOUND", errorDetails="key: there is no such placement")

    key: str = ABSENT
    errorCode: Literal["FLAG_NOT_FOUND", "TARGETING_KEY_MISSING", "INVALID_CONTEXT", "PARSE_ERROR"]
    errorDetails: str


class ClientSettings(Answer):
    """The settings that Segment's client for pages asks for."""

    model_config = example(
        integrations={"Segment.io": {"apiKey": "wk_…", "apiHost": "segue.shop.example/v1", "protocol": "https"}}
    )

    integrations: dict[str, dict[str, Any]]


class Problem(Answer):
    """RFC 9457; `message` says the same as `detail`, for Segment's clients."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    message: str
    field: str = Field(ABSENT, description="The one at fault, where there is one")
    problems: list[str] = Field(ABSENT, description="Of a catalog: a line for each, the first hundred")
    problemsTotal: int = ABSENT
