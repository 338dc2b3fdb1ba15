"""`segue apply`: approves an edit, and lets it take effect."""

from __future__ import annotations

from typing import Annotated

import typer

from serve.commands.running import asking, planning


def apply(
    config: planning.Config = None,
    branch: planning.Branch = "",
    inside: planning.Inside = None,
    mapped: planning.Mapped = None,
    plan: Annotated[str, typer.Option("--plan", help="The id of the plan that was approved; nobody is asked.")] = "",
    yes: planning.Yes = False,
    url: asking.Url = asking.HERE,
) -> None:
    """Show the plan of an edit, ask, and let it take effect: for each customer at their next turn. Where something has
    changed since the plan, nothing is done."""
    body = planning.body(config, branch, inside, mapped)
    with asking.engine(url) as client:
        if not plan:
            made = client.post("/v1/plan", body)
            planning.show(made)
            planning.confirm(made, is_sure=yes)
            plan = made["plan"]
        answer = client.post("/v1/apply", body | {"plan": plan})
    typer.echo(f"catalog {answer['catalogVersion']} takes effect; segue rollback goes back to {answer['previous']}")
