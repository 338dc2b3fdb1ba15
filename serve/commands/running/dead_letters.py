"""`segue dead-letters`: inputs of a running engine that were set aside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from engine.errors import UsageError
from serve.commands import screen
from serve.commands.running import asking

_PATH = "/v1/dead-letters"


def dead_letters(
    retry: Annotated[str, typer.Option("--retry", metavar="ID", help="Tell this one again; `all` for each.")] = "",
    event: Annotated[
        Path | None, typer.Option("--event", metavar="FILE", help="What a rejected item should have been, as JSON.")
    ] = None,
    discard: Annotated[str, typer.Option("--discard", metavar="ID", help="Throw this one away.")] = "",
    url: asking.Url = asking.HERE,
) -> None:
    """List what was set aside with its reason, tell it again, or throw it away (SEGUE_SERVER_KEY)."""
    if retry and discard:
        raise UsageError("cannot be used with --discard", "--retry")
    if event and retry in ("", "all"):
        raise UsageError("needs --retry with the id of one letter", "--event")
    correction = {} if event is None else {"event": _read(event)}
    console = screen.console()
    with asking.engine(url) as client:
        if discard:
            client.delete(f"{_PATH}/{discard}")
            console.print(f"{discard}: discarded")
            return
        letters = client.get(_PATH, limit=1_000)["deadLetters"]
        if retry:
            for name in [letter["id"] for letter in letters] if retry == "all" else [retry]:
                console.print(f"{name}: {client.post(f'{_PATH}/{name}/retry', correction)['status']}")
            return
        console.print(_table(letters) if letters else "no dead letters")


def _read(file: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", "--event") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise UsageError(f"{file} holds no JSON object: {error}", "--event") from None


def _table(letters: list[dict[str, object]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("id", "at", "profile", "kind", "attempts", "reason"):
        table.add_column(column)
    for letter in letters:
        table.add_row(*(escape(str(letter[name])) for name in ("id", "at", "profileId", "kind", "attempts", "reason")))
    return table
