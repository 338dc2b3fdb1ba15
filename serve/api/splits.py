"""Merges as a profile shows them; bodies and answers of splits."""

from __future__ import annotations

from serve.api.types import ABSENT, AT, PROFILE, Answer, Body, Time, example


class Merge(Answer):
    """Another profile that was merged into this one, because of an identifier of the namespace `by`. `mergeId` is
    absent where the merge cannot be undone; `undoneAt` is when it was."""

    origin: str
    at: Time
    events: int
    runs: int
    mergeId: str = ABSENT
    by: str = ABSENT
    source: str = ABSENT
    confidence: float = ABSENT
    undoneAt: Time = ABSENT


_MERGE = "5f2b8a91c03d4e6f7a8b9c0d"
_OTHER = "0b1c4f8e2a7d90b35c1fe842a6d7f0"


class SplitBody(Body):
    """Which merge to undo."""

    model_config = example(mergeId=_MERGE)

    mergeId: str


class SplitOff(Answer):
    """Two profiles that were one. `unidentified` lists, by kinds, what came in between without an identifier."""

    model_config = example(profileId=PROFILE, other=_OTHER, mergeId=_MERGE, splitId=_MERGE, unidentified={})

    profileId: str
    other: str
    mergeId: str
    splitId: str
    unidentified: dict[str, list[str]]


class RejoinBody(Body):
    """Which split to undo."""

    model_config = example(splitId=_MERGE)

    splitId: str


class Rejoined(Answer):
    """Two profiles that become one again."""

    model_config = example(profileId=PROFILE, other=_OTHER, splitId=_MERGE)

    profileId: str
    other: str
    splitId: str


class RevertBody(Body):
    """Whose doing to undo: the name of a key, and from which time on."""

    model_config = example(source="web", since=AT, dryRun=True)

    source: str
    since: str | None = None
    dryRun: bool = False


class Stays(Answer):
    """What cannot be undone: the identifier that the profile began with, and merges from before states were kept."""

    identifiers: list[str]
    merges: list[str]


class Reverted(Answer):
    """What a source had done to who somebody is, and what was undone of it. `events` counts its recent events, which
    stay. `traits` are those that are not any more what the source said, `context.locale` and `context.timezone` of its
    events among them; of `restored` what it had replaced is back. `unverified` are addresses that it alone had
    verified."""

    model_config = example(
        profileId=PROFILE,
        done=True,
        merges=[_MERGE],
        identifiers=["anonymous_id:laptop"],
        traits=["hat"],
        restored=["hat"],
        unverified=[],
        events=2,
        stays={"identifiers": [], "merges": []},
    )

    profileId: str
    done: bool
    merges: list[str]
    identifiers: list[str]
    traits: list[str]
    restored: list[str]
    unverified: list[str]
    events: int
    stays: Stays
