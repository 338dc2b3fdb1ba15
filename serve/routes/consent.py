"""Consent, from the server and from the link in a mail (RFC 8058)."""

from __future__ import annotations

import html
from typing import Any

import msgspec
from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from engine import seeds
from engine.consent import statements
from engine.contact.addresses import NAMESPACES
from engine.errors import InvalidInput
from engine.identity.home import home_of
from engine.inputs import Bind, Confirm, ConsentChange
from serve.api.consent import ConsentBody, ConsentReceipt
from serve.api.types import answers_with
from serve.http.gateway import AnyGateway, Gateway, ServerPrincipal


class OptOut(msgspec.Struct, array_like=True):
    """The content of an unsubscribe link's token."""

    profile: str
    purpose: str
    channel: str
    send: str
    address: str = ""  # the place of the address to which the link went; links of older versions have none


class Confirmation(msgspec.Struct, array_like=True):
    """The content of the token of a link that confirms an address: whose it is, the place of the address, and when the
    link was made."""

    profile: str
    address: str
    at_ms: int


_CONFIRM_MS = 30 * 86_400_000
_confirmation = msgspec.msgpack.Decoder(Confirmation)
_opt_out = msgspec.msgpack.Decoder(OptOut)

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>{title}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem}}
button{{font:inherit;padding:.6rem 1.2rem}}</style></head>
<body><h1>{title}</h1><p>{text}</p>{form}</body></html>
"""
_CONFIRM_FORM = '<form method="post"><button type="submit">Yes, this is my address</button></form>'
_FORM = '<form method="post"><button type="submit">Yes, stop these messages</button></form>'

_NOT_VALID = {404: {"description": "The link is not valid", "content": {"text/html": {}}}}
_PAGE_OF_LINK: dict[str, Any] = {"response_class": HTMLResponse, "responses": _NOT_VALID}

router = APIRouter(tags=["consent"])


@router.post("/v1/consent", **answers_with(ConsentReceipt, errors=(404,)))
async def record(body: ConsentBody, principal: ServerPrincipal, gateway: AnyGateway) -> Any:
    """Write down that somebody granted or withdrew consent; the answer is the receipt, which says whether it has
    effect and what stands against it."""
    profile, identifiers = gateway.identifiers(body.identifiers)
    places = [] if profile else _addresses(gateway, identifiers)
    granted, ((purpose, channel), *_) = statements.understood(gateway.catalog, body.model_dump())
    change = ConsentChange(
        purpose=purpose,
        channel=channel,
        granted=granted,
        at_ms=await gateway.past_ms(body.at, "at"),
        source=body.source,
        key=principal.source,
        text=body.text,
        identifiers=identifiers,
        profile_id=profile,
        address=places[0] if places else "",
    )
    home = home_of(gateway.catalog, change)
    assert home is not None, "usable identifiers name somebody"
    answer = await gateway.router.tell(home, change)
    await _bind(gateway, change, places, answer["profileId"])
    return answer


@router.get("/u/{token}", **_PAGE_OF_LINK, summary="The page that asks whether to unsubscribe")
async def ask_before_unsubscribing(token: str, gateway: AnyGateway) -> HTMLResponse:
    """A page with a button and no effect of its own, because mail scanners follow links."""
    link = _read(gateway, token)
    return _not_valid() if link is None else _page(200, "Unsubscribe", f"Do you want to stop {_what(link)}?", _FORM)


@router.post("/u/{token}", **_PAGE_OF_LINK, summary="Unsubscribe")
async def unsubscribe(token: str, gateway: AnyGateway) -> HTMLResponse:
    """The button of that page, or the one click of a mail client."""
    link = _read(gateway, token)
    if link is None:
        return _not_valid()
    change = ConsentChange(
        purpose=link.purpose,
        channel=link.channel,
        granted=False,
        at_ms=await gateway.now_ms(),
        source="unsubscribe_link",
        text=f"link in message {link.send}",
        address=link.address,
    )
    answer = await gateway.router.tell(link.profile, change)
    await _bind(gateway, change, [link.address] if link.address else [], answer["profileId"])
    return _page(200, "Done", f"You will get no more {_what(link)}.")


def is_ours(gateway: Gateway, token: str) -> bool:
    """Whether a link was signed by this workspace."""
    return _read(gateway, token) is not None


@router.get(
    "/c/{token}",
    **_PAGE_OF_LINK,
    summary="The page that asks whose an address is",
)
async def ask_before_confirming(token: str, gateway: AnyGateway) -> HTMLResponse:
    """A page with a button and no effect of its own, because mail scanners follow links."""
    if await _confirmed(gateway, token) is None:
        return _not_valid()
    return _page(200, "Confirm your address", "Did you get this message at an address of yours?", _CONFIRM_FORM)


@router.post("/c/{token}", **_PAGE_OF_LINK, summary="Confirm an address")
async def confirm(token: str, gateway: AnyGateway) -> HTMLResponse:
    """The button of that page: whoever reads the mail there says that the address is theirs."""
    link = await _confirmed(gateway, token)
    if link is None:
        return _not_valid()
    answer = await gateway.router.tell(link.profile, Confirm(address=link.address))
    return _page(200, "Done", "Your address is confirmed.") if answer["confirmed"] else _not_valid()


async def _confirmed(gateway: Gateway, token: str) -> Confirmation | None:
    try:
        link = _confirmation.decode(seeds.verify(gateway.catalog.id_key, "confirm", token))
    except (InvalidInput, msgspec.MsgspecError):
        return None
    return link if await gateway.now_ms() < link.at_ms + _CONFIRM_MS else None


def _addresses(gateway: Gateway, identifiers: tuple[tuple[str, str], ...]) -> list[str]:
    """The places of the addresses that a statement binds. It binds them only where it names nobody by another
    identifier."""
    if any(namespace not in NAMESPACES for namespace, _ in identifiers):
        return []
    return [gateway.home(namespace, value) for namespace, value in identifiers]


async def _bind(gateway: Gateway, change: ConsentChange, places: list[str], but: str) -> None:
    """Tell everybody who has one of these addresses, and the place of each, which keeps the statement. The profile
    `but` has been told already."""
    for number, place in enumerate(places):
        bound = msgspec.structs.replace(change, address=place, identifiers=(), profile_id="")
        await gateway.router.tell_place(place, Bind(change=bound, but="" if number else but))


def _read(gateway: Gateway, token: str) -> OptOut | None:
    try:
        return _opt_out.decode(seeds.verify(gateway.catalog.id_key, "opt-out", token))
    except (InvalidInput, msgspec.MsgspecError):
        return None


def _what(link: OptOut) -> str:
    return f"{html.escape(link.purpose)} messages by {html.escape(link.channel)}"


def _page(status: int, title: str, text: str, form: str = "") -> HTMLResponse:
    content = _PAGE.format(title=title, text=text, form=form)
    return HTMLResponse(content, status, {"cache-control": "no-store"})


def _not_valid() -> HTMLResponse:
    return _page(404, "This link is not valid", "It may have been cut off. Please use the link in the message itself.")
