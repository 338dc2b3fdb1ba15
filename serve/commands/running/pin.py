"""`segue pin` and `segue unpin`: one customer of a running engine gets a process of their own, and gives it back."""

from __future__ import annotations

from typing import Annotated

import typer

from serve.commands.running import asking

_Reference = Annotated[str, typer.Argument(metavar="NS:VALUE", help="For example user_id:ada.")]


def pin(reference: _Reference, url: asking.Url = asking.HERE) -> None:
    """Give one profile a process of its own, while it is in use (SEGUE_SERVER_KEY is the engine's key)."""
    _resettle("POST", reference, url)


def unpin(reference: _Reference, url: asking.Url = asking.HERE) -> None:
    """Take a pinned profile back into its shard, while it is in use (SEGUE_SERVER_KEY is the engine's key)."""
    _resettle("DELETE", reference, url)


def _resettle(method: str, reference: str, url: str) -> None:
    path = f"{asking.path_of(reference)}/pin"
    with asking.engine(url) as client:
        answer = client.ask(method, path)
    where = f"in a process of its own, pinned-{answer['profileId']}" if answer["pinned"] else "in its shard"
    typer.echo(f"{reference} lives {where}" + ("" if answer["changed"] else ", as before"))
