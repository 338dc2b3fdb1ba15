"""`segue sandbox`: the messages that a running engine gave to sandboxes, instead of sending them to anybody."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from serve.commands import screen
from serve.commands.running import asking


def sandbox(
    reference: Annotated[str, typer.Argument(metavar="[NS:VALUE]", help="One customer; everybody without it.")] = "",
    channel: Annotated[str, typer.Option("--channel", help="One channel alone.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000, help="How many; the newest first.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON lines, with the HTML.")] = False,
    url: asking.Url = asking.HERE,
) -> None:
    """Show the newest messages of sandbox channels, as they were rendered (SEGUE_SERVER_KEY is the engine's key)."""
    query = {"channel": channel, "limit": limit, "profile": asking.named(reference) if reference else ""}
    with asking.engine(url) as client:
        messages = client.get("/v1/sandbox", **{name: value for name, value in query.items() if value})["messages"]
    console = screen.console()
    for message in messages:
        if as_json:
            typer.echo(json.dumps(message, ensure_ascii=False))
        else:
            _print(console, message)
    if not messages and not as_json:
        console.print("no sandbox was given anything" + (" that fits" if reference or channel else ""))


def _print(console: Console, message: dict[str, Any]) -> None:
    to = message["address"] or f"profile {message['profileId']}"
    console.print(f"[dim]{message['at']}[/]  [bold]{escape(message['channel'])}[/] to {escape(to)}", soft_wrap=True)
    if message["subject"]:
        console.print(f"[bold]{escape(message['subject'])}", soft_wrap=True)
    text = message["text"].strip()
    if text != message["subject"]:
        console.print(escape(text), soft_wrap=True)
    console.print()
