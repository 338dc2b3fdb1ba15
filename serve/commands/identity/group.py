"""`segue identity …`: who is who, in commands. Each has a module of its own beside this one."""

from __future__ import annotations

import typer

from serve.commands.identity.evaluate import evaluate
from serve.commands.identity.review import review
from serve.commands.identity.splits import rejoin, revert, split
from serve.commands.identity.status import status
from serve.commands.identity.train import train

app = typer.Typer(no_args_is_help=True, help="Who is who: train, evaluate, review, split, and how well it goes.")
app.command("status")(status)
app.command("split")(split)
app.command("rejoin")(rejoin)
app.command("revert")(revert)
app.command("train")(train)
app.command("evaluate")(evaluate)
app.command("review")(review)
