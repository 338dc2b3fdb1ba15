"""What a profile can be told about others that may be the same person."""

# ruff: noqa: RUF012  msgspec copies a default that can change
from __future__ import annotations

from typing import Any

from engine.parts.of_identity import ReviewEntry
from engine.told.base import Input


class Suspect(Input, frozen=True, kw_only=True, omit_defaults=True, tag="suspect"):
    """Matching has compared this profile with `other`, and is so sure (0 to 1) that both are one person. `why` has what
    each comparison said: its name, the level of agreement, the evidence in bits. A confidence of 0 says that nothing
    speaks for it any more."""

    other: str
    confidence: float
    why: tuple[tuple[str, str, float], ...] = ()


class Resembles(Input, frozen=True, kw_only=True, omit_defaults=True, tag="resembles"):
    """A message to the profile at `to`, which is probably the same person as `profile`: what its decisions may read of
    that one until `until_ms`. In an answer, `asked` is the place that was written to."""

    profile: str
    to: str
    confidence: float
    until_ms: int
    traits: dict[str, Any] = {}
    segments: tuple[str, ...] = ()
    asked: str = ""


class Unlike(Input, frozen=True, kw_only=True, omit_defaults=True, tag="unlike"):
    """A message to a profile: it is no longer taken for the same person as `profile`. Where somebody has said so
    (`said`), it never is again. `places` are other ids by which `profile` was known. `gone` says that this person was
    erased."""

    profile: str
    said: bool = False
    places: tuple[str, ...] = ()
    gone: bool = False


class Candidate(Input, frozen=True, kw_only=True, omit_defaults=True, tag="candidate"):
    """A message to a profile: a question is open whether it is the same person as `profile`; or not any more (`over`).
    `places` are other ids by which `profile` was known. `refused` is the id by which `profile` knows the one that is
    told, where the question is about a refused merge."""

    profile: str
    over: bool = False
    places: tuple[str, ...] = ()
    refused: str = ""


class Reviewed(Input, frozen=True, kw_only=True, omit_defaults=True, tag="reviewed"):
    """Somebody has decided an entry of the review queue, which is in the input as it is stored, so that a replay
    decides alike. `by` is the name of the key. `force` as in `engine.inputs.Join`."""

    entry: ReviewEntry
    accepted: bool
    by: str = ""
    force: bool = False
