"""The models of the answer about transitions."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from serve.api.types import ABSENT, AT, Answer, Time, example

TRANSITION: Final = {
    "at": AT,
    "from": "email",
    "into": "app",
    "by": "link",
    "tookMs": 720_000,
    "readyMs": 9,
    "carried": ["cart", "consent"],
    "goal": "mail_to_app",
    "requiredMs": 1000,
    "missed": [],
}


class ProfileTransition(Answer):
    """A change of touchpoint: what came along, and how fast."""

    at: Time
    from_: str = Field(alias="from")
    into: str
    by: str
    tookMs: int
    readyMs: int
    carried: list[str]
    goal: str = ABSENT
    requiredMs: int = ABSENT
    missed: list[str] = ABSENT


class Quantiles(Answer):
    """A duration in milliseconds that half of the transitions, and 95 in 100, did not exceed."""

    p50: int
    p95: int


class Transition(Answer):
    """One way: from a touchpoint into another, linked by identifiers of a namespace (`link`: a signed link)."""

    from_: str = Field(alias="from")
    into: str
    by: str
    count: int
    carried: dict[str, float]
    tookMs: Quantiles
    readyMs: Quantiles
    goal: str | None
    requiredMs: int | None
    met: float | None
    missed: dict[str, int]


class Transitions(Answer):
    """The ways of all customers. `carried` are shares of them, `met` is the share of those under a goal that met it."""

    model_config = example(
        transitions=[
            {
                "from": "email",
                "into": "app",
                "by": "link",
                "count": 412,
                "carried": {"consent": 1.0, "history": 0.998, "cart": 0.641},
                "tookMs": {"p50": 1_260_000, "p95": 43_200_000},
                "readyMs": {"p50": 9, "p95": 24},
                "goal": "mail_to_app",
                "requiredMs": 1000,
                "met": 0.998,
                "missed": {"late": 1},
            }
        ]
    )

    transitions: list[Transition]
