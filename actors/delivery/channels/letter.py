"""Turns an authorised message, as its shard gave it, into the message that an adapter is handed. The proof of a catalog
uses the same code, so it checks the very messages that customers get."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.delivery.channels.adapter import Message
from actors.delivery.channels.call import call
from actors.delivery.channels.own_links import own_links
from actors.delivery.channels.rendering import Renderer


def letter(message: Mapping[str, Any], renderer: Renderer, public_url: str, deadline_s: float) -> Message:
    """A message of `engine.sends.message`, rendered and addressed. `renderer` holds the templates of its catalog,
    unless it brings its own; `public_url` is what its links begin with. Raises Refused."""
    if "webhook" in message:
        return call(message, renderer, deadline_s)
    content, opt_out = message["content"], f"{public_url}/u/{message['opt_out']}"
    values = {name: message[name] for name in ("traits", "event", "action", "language")}
    values |= {name: message.get(name) for name in ("currency", "timezone")}
    values["unsubscribe_url"] = opt_out
    values["confirm_address_url"] = f"{public_url}/c/{message['confirm']}" if message["confirm"] else ""
    template = content.get("template")
    if "templates" in content:  # the message was decided by a catalog that the dispatcher may not have any more
        renderer = Renderer(content["templates"])
    if template is not None:
        rendered = renderer.render(template, content["subject"], values, content.get("text") or "")
    else:
        rendered = renderer.render_plain(content, values)
    html, text, own = rendered.html, rendered.text, own_links(message, public_url)
    if own is not None:
        html, text = own.in_html(html), own.in_text(text)
    return Message(
        send_id=message["send"],
        channel=message["channel"],
        address=message["address"],
        subject=rendered.subject,
        html=html,
        text=text,
        at_ms=message["at_ms"],
        idempotency_key=message["send"],
        deadline_s=deadline_s,
        unsubscribe_url=opt_out,
    )
