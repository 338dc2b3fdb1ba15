"""The models of what `GET /v1/status` answers: the numbers of an engine."""

from __future__ import annotations

from typing import Any, Literal

from serve.api.types import AT, VERSION, Answer, Time, example


class ShardRow(Answer):
    """One shard: how many profiles it has, and how often its store has changed hands."""

    shard: int
    profiles: int
    epoch: int


_REVIEWED = {"open": 3, "accepted": 5, "dismissed": 1}
_IDENTITY: dict[str, Any] = {
    "profiles": {"known": 512, "anonymous": 128, "matchRate": 0.8},
    "events": {"known": 9_225, "anonymous": 1_025, "matchRate": 0.9},
    "identifiersPerProfile": {"1": 128, "2": 300, "3": 212},
    "merges": 290,
    "splits": 2,
    "sharedValues": 4,
    "likely": 7,
    "reviews": {"merge": _REVIEWED, "split": _REVIEWED, "shared": _REVIEWED, "candidate": _REVIEWED},
    "duplicates": {"suspects": 10, "decided": 6, "rate": 0.013, "low": 0.0068, "high": 0.0152},
    "freshness": {"web": {"events": 9_000, "atMostSeconds": {"p50": 0.05, "p99": 0.5}, "within": {"0.5": 8_990}}},
}


class Resolved(Answer):
    """How many belong to known people, and how many to anonymous ones. `matchRate` is the share of the known; null
    where there is nothing. Counts are null while they are being counted anew."""

    known: int | None
    anonymous: int | None
    matchRate: float | None


class Reviewed(Answer):
    """The entries of the review queue of one kind, by how they stand."""

    open: int | None
    accepted: int | None
    dismissed: int | None


class Duplicates(Answer):
    """The share of profiles that are probably a second one of somebody, and the interval of 95 % around it. Null is
    not known."""

    suspects: int | None
    decided: int | None
    rate: float | None
    low: float | None
    high: float | None


class Freshness(Answer):
    """How old a source's events were when they were durable, since the start of the process. `within` counts those not
    older than so many seconds; `atMostSeconds` are the edges under which half and 99 % lie, null above all edges."""

    events: int
    atMostSeconds: dict[str, float | None]
    within: dict[str, int]


class IdentityFigures(Answer):
    """Who is who, and how well that is known."""

    model_config = example(**_IDENTITY)

    profiles: Resolved
    events: Resolved
    identifiersPerProfile: dict[str, int | None]
    merges: int
    splits: int
    sharedValues: int | None
    likely: int | None
    reviews: dict[str, Reviewed]
    duplicates: Duplicates
    freshness: dict[str, Freshness]


class Matching(Answer):
    """Profiles that matching can find (`indexed`), and those that wait to be matched. Since the shards began:
    how many were matched, pairs compared, likely pairs told, and by pass the blocking keys that too many have."""

    indexed: int
    waiting: int
    matched: int
    pairs: int
    likely: int
    rebuilding: bool
    frequent: dict[str, int]


class Facts(Answer):
    """Facts about things: how many are still being told, how many customers could not be told when their turn came and
    will be soon, and how often a customer has been told a fact so far."""

    waiting: int
    late: int
    told: int


class Status(Answer):
    """The numbers of the engine."""

    model_config = example(
        version="0.1.0",
        catalogVersion=VERSION,
        clock="wall",
        now=AT,
        shards=[{"shard": 0, "profiles": 640, "epoch": 3}],
        events={"accepted": 10_250, "repeated": 12, "rejected": 1},
        sends={"sent": 310, "held": 44},
        identity=_IDENTITY,
        matching={
            "indexed": 640,
            "waiting": 2,
            "matched": 640,
            "pairs": 9_310,
            "likely": 4,
            "rebuilding": False,
            "frequent": {"surname_year": 3},
        },
        things={"waiting": 0, "late": 0, "told": 5_120},
        timers={"pending": 25},
    )

    version: str
    catalogVersion: str
    clock: Literal["wall", "replay"]
    now: Time
    shards: list[ShardRow]
    events: dict[str, int]
    sends: dict[str, int]
    matching: Matching
    things: Facts
    timers: dict[str, int]
    identity: IdentityFigures
