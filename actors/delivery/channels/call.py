"""Turns an authorised call of another system into the message that its adapter is handed: a URL, and a body of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from actors.delivery.channels.adapter import Message
from actors.delivery.channels.rendering import Renderer
from engine.errors import Refused
from engine.texts.language import CALL_NAMES

BODY_BYTES_MAX: Final = 256 * 1024


def call(message: Mapping[str, Any], renderer: Renderer, deadline_s: float) -> Message:
    """The call, its body rendered; a body that says nothing is an event of the journey. Raises Refused."""
    told = message["webhook"]
    body = renderer.render_texts(told["body"], {name: message.get(name) for name in CALL_NAMES})
    try:
        text = json.dumps(body or _event(message), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode())
    except (TypeError, ValueError) as fault:  # a number or a half of a character that JSON cannot say
        raise Refused(f"body: fails with {type(fault).__name__}") from None
    if size > BODY_BYTES_MAX:
        raise Refused(f"body: makes more than {BODY_BYTES_MAX} bytes")
    return Message(
        send_id=message["send"],
        channel=message["channel"],
        address=message["address"],
        subject=f"{told['journey']} {told['step']}",
        html="",
        text=text,
        at_ms=message["at_ms"],
        idempotency_key=message["send"],
        deadline_s=deadline_s,
        headers=told["headers"],
        call={name: told[name] for name in ("method", "url_env", "headers_env", "secret_env")},
    )


def _event(message: Mapping[str, Any]) -> dict[str, Any]:
    told = message["webhook"]
    data = {"profileId": message.get("profile", ""), **{name: told[name] for name in ("journey", "step", "run")}}
    at = datetime.fromtimestamp(message["at_ms"] / 1000, UTC).isoformat().replace("+00:00", "Z")
    return {"type": "journey.step", "timestamp": at, "data": data}
