"""Messages to a customer, rendered again."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter

from actors.delivery.channels.letter import letter
from actors.delivery.channels.rendering import Renderer
from engine.errors import Refused
from engine.readings import instants
from serve.api.messages import Said
from serve.api.types import answers_with
from serve.http.gateway import Gateway, ServerGateway
from serve.routes.profiles import Home

_UNSAID = ("held", "withdrawn", "expired", "decided", "waits")

router = APIRouter(prefix="/v1/profiles", tags=["profiles"])


@router.get("/{reference}/messages/{send_id}", **answers_with(Said, summary="What a message said"))
async def said(reference: str, send_id: str, home: Home, gateway: ServerGateway) -> Any:
    """What this message said: rendered anew from the customer's facts and the catalog of then. Its links do not work,
    and nothing is sent. `sendId` stands in the details of the timeline's sends."""
    known = await gateway.router.read(home, "said", send_id)
    origins, found = known.pop("origins"), known.pop("found")
    # A profile that was merged into this one may have handed the message over: then its own place knows it.
    for origin in origins if found["message"] is None else ():
        found = await gateway.router.read_at_place(origin, "handed_over", send_id)
        if found["message"] is not None:
            break
    nothing = dict.fromkeys(("at", "catalogVersion", "address", "subject", "text", "html", "from"))
    message = found["message"]
    if message is None:
        never = known["outcome"] in _UNSAID
        return known | nothing | {"missing": "it was not handed over" if never else found["missing"]}
    known |= {"at": instants.iso(message["at_ms"]), "catalogVersion": message["version"], "address": message["address"]}
    return nothing | known | await asyncio.to_thread(_rendered, gateway, message)


def _rendered(gateway: Gateway, message: dict[str, Any]) -> dict[str, Any]:
    try:
        found = letter(message, Renderer(message["content"].get("templates", {})), gateway.config.public_url, 0)
    except Refused as error:
        return {"missing": error.message}
    return {"subject": found.subject, "text": found.text, "html": found.html, "from": "rendered", "missing": ""}
