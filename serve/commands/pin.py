"""`segue pin` and `segue unpin`: one customer of a running engine gets a process of their own, and gives it back."""

from __future__ import annotations

import os
from typing import Annotated
from urllib.parse import quote

import typer

from engine.errors import UsageError
from engine.identifiers import parse_reference
from serve.replayer import EngineClient

_Reference = Annotated[str, typer.Argument(metavar="NS:VALUE", help="For example user_id:ada.")]
_Url = Annotated[str, typer.Option("--url", help="Where the engine answers.")]
_HERE = "http://127.0.0.1:8000"


def pin(reference: _Reference, url: _Url = _HERE) -> None:
    """Give one profile a process of its own, while it is in use (SEGUE_SERVER_KEY is the engine's key)."""
    _resettle("POST", reference, url)


def unpin(reference: _Reference, url: _Url = _HERE) -> None:
    """Take a pinned profile back into its shard, while it is in use (SEGUE_SERVER_KEY is the engine's key)."""
    _resettle("DELETE", reference, url)


def _resettle(method: str, reference: str, url: str) -> None:
    key = os.environ.get("SEGUE_SERVER_KEY")
    if not key:
        raise UsageError("is needed in the environment", "SEGUE_SERVER_KEY")
    namespace, value = parse_reference(reference)
    client = EngineClient(url, key)
    try:
        answer = client.ask(method, f"/v1/profiles/{quote(f'{namespace}:{value}', safe=':')}/pin")
    finally:
        client.close()
    where = f"in a process of its own, pinned-{answer['profileId']}" if answer["pinned"] else "in its shard"
    typer.echo(f"{reference} lives {where}" + ("" if answer["changed"] else ", as before"))
