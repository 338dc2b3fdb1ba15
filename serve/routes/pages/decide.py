"""The next best action for one placement, and what became of what was shown."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from engine.decide.decision import LIMIT_MAX
from engine.decide.exposures import read_token
from engine.errors import Forbidden, InvalidInput
from engine.identity.home import home_of
from engine.inputs import Decide, Exposure
from engine.readings import instants
from engine.values.absence import is_absent
from engine.values.identifiers import is_clean
from engine.values.nearest import meant
from engine.vocabulary import ExposureEvent
from serve.api import misspelt
from serve.http.auth import Principal
from serve.http.gateway import Gateway
from serve.http.hostile_json import UNREADABLE, check_no_nul, check_shape, object_of, text_of
from serve.http.protocol import Request, Response, ok
from serve.ingest.signed_link import token_in
from serve.routes.pages import deciding

_REQUEST_ID_MAX = 255
_CONTEXT_BYTES_MAX = 32 * 1024
_FIELDS = {"user_id": "userId", "anonymous_id": "anonymousId"}

# A field that may be absent in more ways than one is read as anything, and checked when it is used.
_Id = Annotated[Any, Meta(extra_json_schema={"type": ["string", "integer", "null"]})]
_Object = Annotated[
    Any, Meta(extra_json_schema={"anyOf": [{"type": "object", "additionalProperties": True}, {"type": "null"}]})
]
_Text = Annotated[Any, Meta(extra_json_schema={"type": ["string", "null"]})]
_Count = Annotated[Any, Meta(extra_json_schema={"type": ["integer", "null"]})]
_Flag = Annotated[Any, Meta(extra_json_schema={"type": ["boolean", "null"]})]
_Time = Annotated[Any, Meta(extra_json_schema={"type": ["string", "number", "null"]})]


class DecideBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Who asks, and what for: one of `userId`, `anonymousId` and `identifiers` is needed."""

    placement: str
    user_id: _Id = None
    anonymous_id: _Id = None
    identifiers: Annotated[_Object, Meta(description="By namespace; a server key's")] = None
    request_id: Annotated[_Text, Meta(description="The same one gets the same answer for 24 hours")] = None
    channel: Annotated[_Text, Meta(description="That of the placement, where it is said at all")] = None
    context: Annotated[_Object, Meta(description="What conditions read of this moment")] = None
    limit: Annotated[_Count, Meta(description=f"How many at most: 1 where it is not said, up to {LIMIT_MAX}")] = None
    explain: Annotated[_Flag, Meta(description="Why each action was chosen, or was not; a server key's")] = None
    user_hash: Annotated[_Text, Meta(description="Proves `userId`, where the source asks for it")] = None
    write_key: Annotated[_Text, Meta(description="Where no header carries a key")] = None


class ExposureBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """What became of what was shown."""

    tracking_token: str
    event: ExposureEvent
    at: Annotated[_Time, Meta(description="As every time may be written; else now")] = None
    write_key: Annotated[_Text, Meta(description="Where no header carries a key")] = None


_decide = msgspec.json.Decoder(DecideBody)
_exposure = msgspec.json.Decoder(ExposureBody)


async def decide(gateway: Gateway, request: Request) -> Response:
    """Choose what to show now; 200 with an empty list, and what the placement shows by default, where silence is
    better or no decision came in time."""
    principal = gateway.principal(request.headers, request.body)
    body = _read_question(gateway, request.body)
    asked = _asked(gateway, principal, body)
    home = home_of(gateway.catalog, asked)
    if home is None:
        raise InvalidInput("names nobody that can be known", "userId")
    answer = await deciding.decide(gateway, home, asked, is_full=request.is_over_limit)
    for shown in answer["actions"]:
        shown["expiresAt"] = instants.iso(shown["expiresAt"])
    if not answer["actions"]:
        answer["default"] = gateway.catalog.placements[asked.placement].default
    return ok(answer)


def _read_question(gateway: Gateway, body: bytes) -> DecideBody:
    """The body of a question. Where it names no placement, the refusal names those that exist."""
    try:
        read: DecideBody = read_json(_decide, body)
    except InvalidInput as fault:
        if fault.field != "placement":
            raise
        raise InvalidInput(f"{fault.message}; {meant('', gateway.catalog.placements)}", "placement") from None
    return read


async def expose(gateway: Gateway, request: Request) -> Response:
    """Viewed, clicked, dismissed or converted: the place under the caps follows."""
    gateway.principal(request.headers, request.body)
    body: ExposureBody = read_json(_exposure, request.body)
    shown = read_token(gateway.catalog.id_key, body.tracking_token)
    at_ms = await gateway.past_ms(body.at, "at")
    told = Exposure(token=body.tracking_token, event=body.event, at_ms=at_ms)
    return ok({"success": True} | await gateway.router.tell(shown.profile, told))


def read_json(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    """A checked body; InvalidInput with the path of the field at fault."""
    try:
        read = decoder.decode(body)
    except UNREADABLE as error:
        raise misspelt.refusal(error, decoder.type) from None
    check_shape(body, read, "body")
    check_no_nul(body, [msgspec.structs.asdict(read)])
    return read


def _asked(gateway: Gateway, principal: Principal, body: DecideBody) -> Decide:
    explain = _whether(body.explain, "explain")
    if principal.kind == "write" and explain:
        raise Forbidden("explaining needs a server key", "explain")
    named = {name: value for name, value in object_of(body.identifiers, "identifiers").items() if not is_absent(value)}
    if principal.kind == "write" and named:
        raise Forbidden("a write key decides by userId or anonymousId", "identifiers")
    placement = gateway.catalog.placements.get(body.placement)
    if placement is None:
        raise InvalidInput(
            f"there is no such placement; {meant(body.placement, gateway.catalog.placements)}", "placement"
        )
    if not is_absent(body.channel) and body.channel != placement.channel:
        raise InvalidInput(f"this placement is on channel {placement.channel}", "channel")
    request_id = _request_id(body.request_id)
    context = object_of(body.context, "context")
    if context and len(msgspec.json.encode(context)) > _CONTEXT_BYTES_MAX:
        raise InvalidInput(f"is over {_CONTEXT_BYTES_MAX} bytes", "context")
    gateway.prove(principal, body.user_id, body.user_hash)
    own = {"user_id": body.user_id, "anonymous_id": body.anonymous_id}
    own = {namespace: value for namespace, value in own.items() if not is_absent(value)}
    if not named and not own:
        raise InvalidInput("userId, anonymousId or identifiers are needed", "userId")
    profile, identifiers = gateway.identifiers(named | own, {namespace: _FIELDS[namespace] for namespace in own})
    link = token_in(context, {})
    return Decide(
        placement=placement.id,
        channel=placement.channel,
        request_id=request_id,
        context=context,
        limit=_limit(body.limit),
        explain=explain,
        identifiers=identifiers,
        profile_id=profile,
        link=link,
        source=principal.source if link else "",
    )


def _whether(value: Any, field: str) -> bool:
    if is_absent(value):
        return False
    if not isinstance(value, bool):
        raise InvalidInput("must be true or false", field)
    return value


def _limit(value: Any) -> int:
    if is_absent(value):
        return 1
    # JSON does not tell 3 from 3.0, and some clients write the second; in Python `true` is an integer too.
    if isinstance(value, bool) or not isinstance(value, int | float) or (value % 1 != 0):
        raise InvalidInput("must be a whole number", "limit")
    if not 1 <= value <= LIMIT_MAX:
        raise InvalidInput(f"must be from 1 to {LIMIT_MAX}", "limit")
    return int(value)


def _request_id(value: Any) -> str:
    text = text_of(value, "requestId")
    if len(text) > _REQUEST_ID_MAX:
        raise InvalidInput(f"may have {_REQUEST_ID_MAX} characters", "requestId")
    if not is_clean(text):
        raise InvalidInput("holds a control character", "requestId")
    return text
