"""The models of bodies and answers of the routes that operate an engine.

Bodies are validated by them. Answers are only described by them: a field too many is no reason to refuse a reader the
rest. The tests hold every answer to its description.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from engine.values.absence import is_absent
from engine.vocabulary import Status as JourneyWord

TEXT_MAX = 4_000

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]  # ISO 8601, UTC, milliseconds

AT = "2026-03-01T09:30:00.000Z"
VERSION = "9f2c1e7ab04d"
PROFILE = "2f9c61d0a7b34e18c5d2e6f0a1b9"


IfAny = BeforeValidator(lambda value: None if is_absent(value) else value)
ToldTime = Annotated[Any, WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "null"}]})]


class Body(BaseModel):
    """A body with unknown fields is refused: a misspelt one would be lost silently."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Answer(BaseModel):
    """An answer; it may have more fields than are described."""

    model_config = ConfigDict(extra="allow")


ABSENT: Any = None  # the default of a field that only some answers have: in the others it is absent, never null


def example(**fields: Any) -> ConfigDict:
    """The configuration of an answer with an example of it; of a body too, which keeps what else it has."""
    return ConfigDict(json_schema_extra={"examples": [fields]})


def answers_with(model: type[BaseModel], *, errors: tuple[int, ...] = (), **others: Any) -> dict[str, Any]:
    """The options of a route whose answer is `model`. `errors` are statuses that it has beside those of all routes (and
    404 where its path names something), `others` are further options."""
    answers: dict[int, dict[str, Any]] = {status: error(status) for status in errors}
    answers[200] = {"model": model, "description": (model.__doc__ or "").partition("\n")[0]}
    return {"response_model": None, "responses": answers} | others


def error(status: int) -> dict[str, Any]:
    """A reference to the answer that all routes give with this status."""
    return {"$ref": f"#/components/responses/Error{status}"}


class BackupBody(Body):
    """The directories of a backup: absolute paths on the machine on which the engine runs."""

    model_config = example(directory="/backups/2026-03-01", keys="/keys/segue")

    directory: str = Field(min_length=1, max_length=TEXT_MAX)
    keys: str | None = Field(None, min_length=1, max_length=TEXT_MAX)


class BackupAnswer(Answer):
    """A backup that is whole."""

    model_config = example(
        directory="/backups/2026-03-01", keys="/keys/segue", at=AT, shards=2, profiles=1250, files=14, bytes=5242880
    )

    directory: str
    keys: str
    at: Time
    shards: int
    profiles: int
    files: int
    bytes: int


class ClockBody(Body):
    """The time to which the replay clock moves; with `drain` it moves on until nothing is pending."""

    model_config = example(watermark=AT, drain=False)

    watermark: ToldTime
    drain: bool = False


class ClockAnswer(Answer):
    """The clock, and how many timers are still pending."""

    model_config = example(now=AT, pendingTimers=12)

    now: Time
    pendingTimers: int


class DeadLetter(Answer):
    """An input that was set aside, and why."""

    id: str
    at: Time
    profileId: str
    kind: str
    reason: str
    attempts: int
    input: dict[str, Any]


class DeadLetters(Answer):
    """Inputs that were set aside, the newest first."""

    model_config = example(
        deadLetters=[
            {
                "id": "0-17",
                "at": AT,
                "profileId": PROFILE,
                "kind": "Rejected",
                "reason": (
                    "userId: names nobody: it needs a userId, anonymousId, entry in context.externalIds "
                    "or other identifier"
                ),
                "attempts": 1,
                "input": {"text": '{"type": "track", "event": "Product Viewed"}'},
            }
        ]
    )

    deadLetters: list[DeadLetter]


class Correction(Body):
    """The corrected form of a rejected item."""

    model_config = example(event={"type": "track", "userId": "ada", "event": "Product Viewed"})

    event: dict[str, Any] | None = None


class DeadLetterOutcome(Answer):
    """`accepted`, `failed` (it stays), `waiting` (it stays: its profile is on its way to another one), `discarded`."""

    model_config = example(status="accepted")

    status: Literal["accepted", "failed", "waiting", "discarded"]


class Erased(Answer):
    """A person who is not known any more."""

    model_config = example(profileId=PROFILE, erased=True)

    profileId: str
    erased: Literal[True]


class Pinned(Answer):
    """Whether a profile has a process of its own now, and whether that is new."""

    model_config = example(profileId=PROFILE, pinned=True, changed=True)

    profileId: str
    pinned: bool
    changed: bool


class CatalogBody(Body):
    """The files of a catalog by their names in `configs/`, as YAML texts (templates as they are)."""

    model_config = example(
        files={"channels.yaml": "channels:\n  - {id: web, provider: none}\n", "consent.yaml": "purposes: {service: {}}"}
    )

    files: dict[str, str] = Field(min_length=1)


class CatalogAnswer(Answer):
    """The version that decides now, and the one before it. `warnings` are settings that are hardly meant, each as
    `file:line: path: message`."""

    model_config = example(catalogVersion=VERSION, previous="51aa90c3f7e2")

    catalogVersion: str
    previous: str
    warnings: list[str] = []


class CatalogFiles(Answer):
    """A catalog as plain data by file name; `operator` is what commands said, and what has ended, beside the files."""

    model_config = example(
        catalogVersion=VERSION, files={"channels.yaml": {"channels": [{"id": "web", "provider": "none"}]}}, operator={}
    )

    catalogVersion: str
    files: dict[str, Any]
    operator: dict[str, Any]


class JourneyRow(Answer):
    """A journey with the status that holds, what its file says, and what the operator says."""

    journey: str
    status: JourneyWord
    file: JourneyWord
    operator: JourneyWord


class Journeys(Answer):
    """Every journey of the active catalog: its effective status, what its file says, what the operator says."""

    model_config = example(
        catalogVersion=VERSION,
        journeys=[{"journey": "abandoned_cart", "status": "paused", "file": "live", "operator": "paused"}],
    )

    catalogVersion: str
    journeys: list[JourneyRow]


class JourneyStatus(JourneyRow):
    """The status of one journey after the operator's word, the catalog that has it, and the one before."""

    model_config = example(
        journey="abandoned_cart",
        status="paused",
        file="live",
        operator="paused",
        catalogVersion=VERSION,
        previous="51aa90c3f7e2",
    )

    catalogVersion: str
    previous: str


class Alive(Answer):
    """The ingress answers."""

    model_config = example(status="alive")

    status: Literal["alive"]


class Ready(Answer):
    """Every shard answers."""

    model_config = example(status="ready", shards=2, catalogVersion=VERSION)

    status: Literal["ready"]
    shards: int
    catalogVersion: str
