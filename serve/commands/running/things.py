"""`segue things`: the facts about things that a running engine was told, and how many customers heard of each."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from serve.commands import screen
from serve.commands.running import asking

_LIMIT = 20
_LIMIT_MAX = 500


def things(
    limit: Annotated[int, typer.Option("--limit", min=1, max=_LIMIT_MAX, help="How many, the newest first.")] = _LIMIT,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON lines.")] = False,
    url: asking.Url = asking.HERE,
) -> None:
    """Show the newest facts about things, such as price drops, and how many customers were told of each
    (SEGUE_SERVER_KEY is the engine's key)."""
    with asking.engine(url) as client:
        rows = client.get("/v1/things", limit=limit)["things"]
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row, ensure_ascii=False))
        return
    console = screen.console()
    if not rows:
        console.print("no fact about a thing was told lately")
        return
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    for column in ("at", "thing", "fact"):
        table.add_column(column)
    table.add_column("told", justify="right")
    for row in rows:
        told = f"{row['told']:,}" + (" so far" if row["waits"] else "")
        table.add_row(row["at"], escape(f"{row['kind']} {row['id']}"), escape(row["event"]), told)
    console.print(table)
