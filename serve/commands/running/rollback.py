"""`segue rollback`: goes back to a former catalog."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.catalog.schema.edits import RESTS
from engine.errors import UsageError
from serve.commands.running import asking, planning


def rollback(
    to: Annotated[str, typer.Option("--to", help="The version; without it, the last one.")] = "previous",
    inside: Annotated[
        str, typer.Option("--inside", metavar="WORD", help="Who is inside will follow, finish or stop.")
    ] = "follow",
    yes: planning.Yes = False,
    url: asking.Url = asking.HERE,
) -> None:
    """Let the files of a former catalog take effect again: show the plan, ask, do it."""
    if inside not in RESTS:
        raise UsageError(f"{inside} is not follow, finish or stop", "--inside")
    with asking.engine(url) as client:
        made = client.get("/v1/plan", to=to, inside=inside)
        planning.show(made)
        planning.confirm(made, is_sure=yes)
        answer = client.post("/v1/rollback", {"to": to, "inside": inside, "plan": made["plan"]})
    typer.echo(f"catalog {answer['catalogVersion']} takes effect, with the files of a former one")
