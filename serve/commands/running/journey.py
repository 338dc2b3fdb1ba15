"""`segue journey`: the journeys of a running engine, and the operator's word on them."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer
from rich.markup import escape
from rich.table import Table

from serve.commands import screen
from serve.commands.running import asking

app = typer.Typer(
    help="Pause, resume or stop a journey of a running engine (SEGUE_SERVER_KEY is its key).", no_args_is_help=True
)

Journey = Annotated[str, typer.Argument(metavar="ID", help="The journey's id.")]
_PATH = "/v1/journeys"


@app.command("list")
def listed(url: asking.Url = asking.HERE) -> None:
    """Every journey: the status that holds, what its file says, what was said by command."""
    with asking.engine(url) as client:
        rows = client.get(_PATH)["journeys"]
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("journey", "status", "file", "operator"):
        table.add_column(column)
    for row in rows:
        table.add_row(*(escape(row[column]) for column in ("journey", "status", "file", "operator")))
    screen.console().print(table)


@app.command()
def pause(journey: Journey, url: asking.Url = asking.HERE) -> None:
    """Let nobody enter, and let whoever is inside wait, until it is resumed."""
    _say(journey, "pause", url)


@app.command()
def resume(journey: Journey, url: asking.Url = asking.HERE) -> None:
    """Take a pause or a stop back. Who was inside when it was stopped stays out."""
    _say(journey, "resume", url)


@app.command()
def stop(journey: Journey, url: asking.Url = asking.HERE) -> None:
    """End it for whoever is inside, and send nothing of it any more."""
    _say(journey, "stop", url)


def _say(journey: str, word: str, url: str) -> None:
    with asking.engine(url) as client:
        answer = client.post(f"{_PATH}/{quote(journey, safe='')}/{word}", {})
    typer.echo(f"{journey} is {answer['status']}, by catalog {answer['catalogVersion']}")
