"""`segue identity split` and `segue identity rejoin`: undo a merge of a running engine, and undo that."""

from __future__ import annotations

from typing import Annotated

import typer

from serve.commands.running import asking

Reference = Annotated[str, typer.Argument(metavar="NS:VALUE", help="For example email:ada@example.com.")]


def split(
    reference: Reference,
    merge: Annotated[str, typer.Option("--merge", metavar="ID", help="The merge, as `segue profile` names it.")],
    url: asking.Url = asking.HERE,
) -> None:
    """Undo a merge: the other profile goes back to its own place with what is its own (SEGUE_SERVER_KEY is the engine's
    key)."""
    with asking.engine(url) as client:
        done = client.post(f"{asking.path_of(reference)}/split", {"mergeId": merge})
    typer.echo(f"profile {done['profileId']} and profile {done['other']} are two again")
    for kind, names in done["unidentified"].items():
        typer.echo(f"by policy, because no identifier came with them: {kind} {', '.join(names)}")
    typer.echo(f"undo this: segue identity rejoin {reference} --split {done['splitId']}")


def rejoin(
    reference: Reference,
    split: Annotated[str, typer.Option("--split", metavar="ID", help="The split, as its command has told it.")],
    url: asking.Url = asking.HERE,
) -> None:
    """Undo a split: the two profiles become one again (SEGUE_SERVER_KEY is the engine's key)."""
    with asking.engine(url) as client:
        done = client.post(f"{asking.path_of(reference)}/rejoin", {"splitId": split})
    typer.echo(f"profile {done['profileId']} and profile {done['other']} are one again")
