"""The shapes of the routes that FastAPI serves: what a body must look like, and what an answer looks like."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

TEXT_MAX = 4_000


class Body(BaseModel):
    """A body with unknown fields is refused: a misspelt one would be lost silently."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ConsentBody(Body):
    """A grant or a withdrawal; `*` stands for every purpose, or every channel, and so does none in a withdrawal."""

    identifiers: dict[str, str | int]
    purpose: str | None = None
    channel: str | None = None
    granted: Any
    source: str = Field(max_length=255)
    at: str | int | None = None
    text: str = Field("", max_length=TEXT_MAX)


class ConsentReceipt(BaseModel):
    """What was stated, with the id to quote, whether it has effect, and each no that stands against it."""

    profileId: str
    receiptId: str
    granted: bool
    effective: bool
    reason: str
    against: list[dict[str, Any]]


class BackupBody(Body):
    """Where to: directories of the machine that the engine runs on, as absolute paths."""

    directory: str = Field(min_length=1, max_length=TEXT_MAX)
    keys: str | None = Field(None, min_length=1, max_length=TEXT_MAX)


class BackupAnswer(BaseModel):
    """A backup that is whole."""

    directory: str
    keys: str
    at: str
    shards: int
    profiles: int
    files: int
    bytes: int


class ClockBody(Body):
    """Where to put the replay clock; with `drain`, on until nothing is pending."""

    watermark: str | int
    drain: bool = False


class ClockAnswer(BaseModel):
    """The clock, and how many timers are still pending."""

    now: str
    pendingTimers: int


class DeadLetters(BaseModel):
    """Inputs that were set aside, the newest first."""

    deadLetters: list[dict[str, Any]]


class Correction(BaseModel):
    """What a rejected item should have been."""

    event: dict[str, Any] | None = None


class DeadLetterOutcome(BaseModel):
    """`accepted`, `failed` (it stays), `waiting` (it stays: its profile is on its way to another one), `discarded`."""

    status: str


class Erased(BaseModel):
    """A person who is not known any more."""

    profileId: str
    erased: bool


class Profile(BaseModel):
    """A customer."""

    model_config = ConfigDict(extra="allow")

    profileId: str
    identifiers: list[dict[str, Any]]
    traits: dict[str, Any]
    segments: list[str]
    consent: list[dict[str, Any]]
    caps: list[dict[str, Any]]
    journeys: list[dict[str, Any]]
    timers: list[dict[str, Any]]
    suppressions: list[dict[str, Any]]
    holdouts: list[dict[str, Any]]


class Timeline(BaseModel):
    """Entries, oldest first."""

    profileId: str
    entries: list[dict[str, Any]]
    next: str | None


class Why(BaseModel):
    """One action on each of its channels and placements, or `actions`, a row each."""

    model_config = ConfigDict(extra="allow")

    profileId: str
    catalogVersion: str


class Pinned(BaseModel):
    """Whether a profile has a process of its own now, and whether that is new."""

    profileId: str
    pinned: bool
    changed: bool


class CatalogBody(BaseModel):
    """The files of a catalog by their names in `configs/`, as YAML texts (templates as they are)."""

    model_config = ConfigDict(extra="forbid")

    files: dict[str, str] = Field(min_length=1)


class CatalogAnswer(BaseModel):
    """The version that decides now, and the one before it. `warnings`: what is hardly meant, each as `file:line: path:
    message`."""

    catalogVersion: str
    previous: str
    warnings: list[str] = []


class CatalogFiles(BaseModel):
    """A catalog as plain data by file name; `operator` is what commands said, and what has ended, beside the files."""

    catalogVersion: str
    files: dict[str, Any]
    operator: dict[str, Any] = {}


class Journeys(BaseModel):
    """Every journey of the catalog that stands: the status that holds, what its file says, what the operator says."""

    catalogVersion: str
    journeys: list[dict[str, Any]]


class JourneyStatus(BaseModel):
    """What holds for one journey after the operator's word, in which catalog, and the one before it."""

    journey: str
    status: str
    file: str
    operator: str
    catalogVersion: str
    previous: str


class Status(BaseModel):
    """The numbers of the engine."""

    model_config = ConfigDict(extra="allow")

    version: str
    catalogVersion: str
    shards: list[dict[str, Any]]
    events: dict[str, int]
    sends: dict[str, int]
    timers: dict[str, int]
