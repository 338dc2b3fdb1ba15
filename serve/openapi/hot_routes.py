"""The part of the OpenAPI document about the routes that the application answers itself, past FastAPI."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel

from serve.api.pages import ClientSettings, Decision, Flag, FlagFailure, Flags, Taken, Told
from serve.api.types import AT, Alive
from serve.http import paths
from serve.openapi.code_samples import Key

EVENT: Final = "SegmentCall"
BATCH: Final = "SegmentBatch"


@dataclass(frozen=True, slots=True)
class Hot:
    """One operation. `body` is the name of a component, `errors` the statuses that it has beside those of all."""

    name: str
    summary: str
    about: str
    key: Key
    answer: type[BaseModel]
    body: str = ""
    example: Any = None
    method: str = "post"
    errors: tuple[int, ...] = ()
    failures: tuple[int, ...] = ()  # those that are told in the words of OpenFeature
    tag: str = "pages"
    parameters: dict[str, str] = field(default_factory=dict)


_EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "track": {"userId": "ada", "event": "Product Viewed", "properties": {"product_id": "sku-1", "category": "shoes"}},
    "identify": {"userId": "ada", "anonymousId": "visitor-7", "traits": {"email": "ada@shop.example", "name": "Ada"}},
    "page": {"anonymousId": "visitor-7", "name": "Shoes", "properties": {"url": "https://shop.example/shoes"}},
    "screen": {"userId": "ada", "name": "Basket"},
    "group": {"userId": "ada", "groupId": "team-1", "traits": {"plan": "gold"}},
    "alias": {"userId": "ada", "previousId": "visitor-7"},
}
_BATCH_EXAMPLE: Final = {
    "batch": [
        *({"type": kind, "messageId": f"m-{kind}"} | _EXAMPLES[kind] for kind in ("identify", "track")),
        {  # what a till knows
            "type": "track",
            "messageId": "m-till",
            "event": "Order Completed",
            "properties": {"order_id": "o-7"},
            "context": {"externalIds": [{"type": "loyalty_id", "id": "4000-7", "collection": "users"}]},
        },
    ],
    "sentAt": AT,
}
_SHORT: Final = {"t": "track", "i": "identify", "p": "page", "s": "screen", "g": "group", "a": "alias", "b": "batch"}


def _ingest(path: str, kind: str | None) -> Hot:
    name = path.removeprefix("/v1/")
    long = _SHORT.get(name, name)
    about = "Answered when it is durable. The content type is ignored, gzip is told by `Content-Encoding`."
    if name in _SHORT:
        about = f"The short form of `/v1/{long}`, which Segment's client for pages uses. {about}"
    summary = "Send a batch of events" if kind is None else f"Send one event: {long}"
    example = _BATCH_EXAMPLE if kind is None else _EXAMPLES[kind]
    return Hot(name, summary, about, "write", Taken, BATCH if kind is None else EVENT, example, tag="events")


HOT: Final[dict[str, Hot]] = {
    **{path: _ingest(path, kind) for path, kind in paths.KIND_OF_PATH.items()},
    "/v1/import": Hot(
        "import",
        "Import a batch of history",
        "Events of up to 1 MB; `timestamp` is taken as it is. On a replay clock they wait until it reaches them.",
        "server",
        Taken,
        BATCH,
        _BATCH_EXAMPLE,
        tag="events",
    ),
    "/v1/decide": Hot(
        "decide",
        "Choose what to show",
        "Always 200 where the question can be asked: nothing to show is an empty list, with what the placement shows by"
        " default. The same `requestId` gets the same answer for 24 hours; for another question it is 422.",
        "write",
        Decision,
        "DecideBody",
        {"placement": "home_hero", "userId": "ada", "context": {"page": "home"}, "requestId": "page-7-hero"},
        errors=(404, 422),
    ),
    "/v1/exposures": Hot(
        "expose",
        "Tell what became of what was shown",
        "Each kind counts once per token, whoever repeats it.",
        "write",
        Told,
        "ExposureBody",
        {"trackingToken": "TOKEN", "event": "viewed"},
    ),
    paths.FLAGS: Hot(
        "flags",
        "Evaluate all placements as flags (OpenFeature)",
        "With an `ETag` over what is shown: 304 where `If-None-Match` has it.",
        "write",
        Flags,
        "EvaluationBody",
        {"context": {"targetingKey": "ada"}},
        failures=(400, 404),
        tag="OpenFeature",
    ),
    f"{paths.FLAGS}/{{key}}": Hot(
        "flag",
        "Evaluate a placement as a flag (OpenFeature)",
        "The customer is `userId`, `anonymousId` or (server key) `identifiers` of the context, else `targetingKey`"
        " as a user id.",
        "write",
        Flag,
        "EvaluationBody",
        {"context": {"targetingKey": "ada"}},
        failures=(400, 404),
        tag="OpenFeature",
        parameters={"key": "A placement"},
    ),
    "/v1/projects/{key}/settings": Hot(
        "settings",
        "What Segment's client for pages asks for first",
        "The write key stands in the path. 404 where it is none.",
        "none",
        ClientSettings,
        method="get",
        errors=(404,),
        parameters={"key": "A write key"},
    ),
    paths.STATISTICS: Hot(
        "statistics",
        "What Segment's client for pages counts about itself",
        "Taken and ignored, whatever it is.",
        "none",
        Taken,
        "Anything",
        {"series": []},
    ),
    "/healthz": Hot(
        "healthz", "Whether the process lives", "Looks at nothing.", "none", Alive, method="get", tag="operation"
    ),
}

_ID: Final = {"type": ["string", "integer", "null"]}
_TEXT: Final = {"type": ["string", "null"]}
_OBJECT: Final = {"type": ["object", "array", "null"], "description": "An object; PHP writes an empty one as `[]`"}
_TIME: Final = {"description": "ISO 8601, or seconds or milliseconds since 1970"}

BODIES: Final[dict[str, dict[str, Any]]] = {
    EVENT: {
        "type": "object",
        "description": "A call of Segment's tracking API. It needs one identifier: `userId`, `anonymousId`, an entry of"
        " `context.externalIds`, an address, a card or a device. Fields that are not named here are let pass.",
        "additionalProperties": True,
        "properties": {
            "type": _TEXT,
            "event": _TEXT | {"description": "The name, of a track"},
            "userId": _ID,
            "anonymousId": _ID,
            "previousId": _ID,
            "groupId": {"description": "A text or a whole number, in a group; not looked at elsewhere"},
            "messageId": _ID | {"description": "A repeat is known by it for 30 days"},
            "name": _TEXT,
            "category": _TEXT,
            "properties": _OBJECT,
            "traits": _OBJECT,
            "context": _OBJECT
            | {
                "properties": {
                    "externalIds": {
                        "description": "Identifiers of any namespace: `[{id, type, collection: users, encoding: none}]`"
                    }
                }
            },
            "timestamp": _TIME,
            "originalTimestamp": _TIME,
            "sentAt": _TIME,
            "userHash": {"description": "Proves `userId`, where the source asks for it"},
            "writeKey": {"description": "Where no header carries a key"},
        },
    },
    BATCH: {
        "type": "object",
        "required": ["batch"],
        "properties": {
            "batch": {
                "type": ["array", "object"],
                "description": "A list; PHP writes one whose indexes have a gap as an object",
                "items": {"$ref": f"#/components/schemas/{EVENT}"},
            },
            "sentAt": {"description": "As `timestamp`. What is no time is as absent"},
            "context": {"description": "An object, under that of each event. What is none is as absent"},
            "writeKey": {"description": "Where no header carries a key"},
        },
    },
    "EvaluationBody": {
        "type": "object",
        "properties": {
            "context": {
                "type": "object",
                "description": "Who it is about, and whatever conditions read",
                "additionalProperties": True,
                "properties": {
                    "targetingKey": _ID,
                    "userId": _ID,
                    "anonymousId": _ID,
                    "identifiers": _OBJECT | {"description": "By namespace; a server key's"},
                    "userHash": {},
                },
            }
        },
    },
    "Anything": {"description": "Any body at all"},
}

# Referred to by `Hot.failures`, beside the answers of all routes.
FLAG_FAILURE: Final = FlagFailure
