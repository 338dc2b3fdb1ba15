"""The types of the routes of the review queue, and of matching."""

from __future__ import annotations

from typing import Any, Literal

from serve.api.types import ABSENT, AT, PROFILE, Answer, Body, Time, example

REVIEW = "5d0c41b9f2a7c3e86b1f0a42"
OTHER = "0a41c9f27be01d5388c6a2f4e7b3"


class Evidence(Answer):
    """What one comparison says: how much of a field agrees, and its evidence in bits, below 0 against it."""

    comparison: str
    level: str
    bits: float


class Review(Answer):
    """A question about who is who. `kind`: `candidate` (may be one person), `merge` (was refused), `split` (a merge
    looks wrong), `shared` (a value joins nobody any more). `public`: the write key `source` alone has caused it, and it
    stands for all of the kind that this key has caused there. No value of a customer is in it."""

    id: str
    at: Time
    kind: Literal["candidate", "merge", "split", "shared"]
    state: Literal["open", "accepted", "dismissed", "closed"]
    reason: str
    profileId: str
    otherId: str
    namespace: str
    mergeId: str
    confidence: float
    source: str
    public: bool
    why: list[Evidence]
    decidedAt: Time = ABSENT


class Reviews(Answer):
    """The newest entries of the review queue."""

    model_config = example(
        reviews=[
            {
                "id": REVIEW,
                "at": AT,
                "kind": "candidate",
                "state": "open",
                "reason": "likely.matching",
                "profileId": PROFILE,
                "otherId": OTHER,
                "namespace": "",
                "mergeId": "",
                "confidence": 0.84,
                "source": "matching",
                "public": False,
                "why": [{"comparison": "surname", "level": "close", "bits": 5.64}],
            }
        ]
    )

    reviews: list[Review]


class ReviewAnswer(Body):
    """The answer to a question. Without `profileId` the entry is looked for. With `force` two profiles become one
    though they contradict each other in an identifier of which a person has only one."""

    model_config = example(action="accept", profileId=PROFILE)

    action: Literal["accept", "dismiss"]
    profileId: str | None = None
    force: bool = False


class Decided(Answer):
    """The entry as it is now."""

    model_config = example(id=REVIEW, state="accepted", profileId=PROFILE)

    id: str
    state: Literal["accepted", "dismissed"]
    profileId: str


class Matches(Answer):
    """A round of matching: how many profiles waited, how many pairs were compared, how many of them are likely. By
    pass, how many blocking keys were left out because too many profiles have them."""

    model_config = example(profiles=120, pairs=4_031, likely=3, frequent={"surname_year": 2})

    profiles: int
    pairs: int
    likely: int
    frequent: dict[str, int]


class Likely(Answer):
    """Another profile that is probably the same person, and what decisions may read of it until then."""

    profileId: str
    confidence: float
    at: Time
    until: Time
    traits: dict[str, Any]
    segments: list[str]
