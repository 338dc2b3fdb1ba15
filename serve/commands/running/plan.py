"""`segue plan`: what would become of everybody inside if an edit took effect."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from serve.commands.running import asking, planning


def plan(
    config: planning.Config = None,
    branch: planning.Branch = "",
    to: Annotated[str, typer.Option("--to", help="Plan a way back instead: a version, or previous.")] = "",
    inside: planning.Inside = None,
    mapped: planning.Mapped = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole plan as JSON.")] = False,
    url: asking.Url = asking.HERE,
) -> None:
    """Show what would become of everybody inside, before anything changes (SEGUE_SERVER_KEY is the engine's key)."""
    with asking.engine(url) as client:
        if to:
            made = client.get("/v1/plan", to=to)
        else:
            made = client.post("/v1/plan", planning.body(config, branch, inside, mapped))
    if as_json:
        typer.echo(json.dumps(made, indent=2, ensure_ascii=False))
    else:
        planning.show(made)
