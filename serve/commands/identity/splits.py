"""`segue identity split`, `rejoin`, `revert`: undo a merge of a running engine, undo that, undo what a source did."""

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


def revert(
    reference: Reference,
    source: Annotated[str, typer.Option("--source", metavar="KEY", help="The name of the key whose doing is undone.")],
    since: Annotated[str, typer.Option("--since", metavar="TIME", help="From when on (ISO 8601).")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do nothing, and print what would be undone.")] = False,
    url: asking.Url = asking.HERE,
) -> None:
    """Undo everything that a source has done to who somebody is (SEGUE_SERVER_KEY is the engine's key)."""
    body = {"source": source, "dryRun": dry_run} | ({"since": since} if since else {})
    with asking.engine(url) as client:
        done = client.post(f"{asking.path_of(reference)}/revert", body)
    word = "undone" if done["done"] else "would be undone"
    for kind in ("merges", "identifiers", "traits"):
        typer.echo(f"{kind} {word}: {', '.join(done[kind]) or 'none'}")
    if done["restored"]:
        verb = "is" if done["done"] else "would be"
        typer.echo(f"of these the value before {verb} back: {', '.join(done['restored'])}")
    if done["unverified"]:
        verb = "is" if done["done"] else "would be"
        typer.echo(f"{verb} not verified any more: {', '.join(done['unverified'])}")
    typer.echo(f"its events stay: {done['events']} of the recent ones")
    for kind, names in done["stays"].items():
        if names:
            typer.echo(f"cannot be undone: {kind} {', '.join(names)}")
