"""`segue identity status`: how well a running engine knows who is who."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.table import Table

from serve.commands import screen
from serve.commands.running import asking

_NOT_KNOWN = "not known"
_COUNTING = "being counted"


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    url: asking.Url = asking.HERE,
) -> None:
    """Show the figures of identity: who is known, what was joined and undone, what waits for a review, and how fresh
    events are (SEGUE_SERVER_KEY is the engine's key)."""
    with asking.engine(url) as client:
        found = client.get("/v1/status")["identity"]
    if as_json:
        typer.echo(json.dumps(found))
        return
    table = Table.grid(padding=(0, 3))
    for name, value in rows(found):
        table.add_row(f"[dim]{name}", value)
    screen.console().print(table)


def rows(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The figures as pairs of a name and what is told of it."""
    for name in ("profiles", "events"):
        told = found[name]
        yield name, _matched(told)
    held = found["identifiersPerProfile"]
    yield "identifiers", ", ".join(f"{count:,} with {_edge(edge)}" for edge, count in held.items() if count) or "none"
    yield "merges", f"{found['merges']:,} made, {found['splits']:,} undone"
    yield "shared values", _count(found["sharedValues"])
    yield "likely links", f"{_count(found['likely'])} profiles with a link below 1.0"
    yield "duplicates", _duplicates(found["duplicates"])
    for kind, states in found["reviews"].items():
        yield f"review: {kind}", ", ".join(f"{_count(count)} {state}" for state, count in states.items())
    for source, ages in found["freshness"].items():
        at_most = ", ".join(f"{name} {_seconds(value)}" for name, value in ages["atMostSeconds"].items())
        yield f"freshness: {source or 'unnamed'}", f"{ages['events']:,} events, {at_most}"


def _matched(told: dict[str, Any]) -> str:
    if told["known"] is None:
        return _COUNTING
    return f"{told['known']:,} known, {told['anonymous']:,} anonymous: {_share(told['matchRate'])} known"


def _count(count: int | None) -> str:
    return _COUNTING if count is None else f"{count:,}"


def _share(share: float | None) -> str:
    return _NOT_KNOWN if share is None else f"{share:.1%}"


def _edge(edge: str) -> str:
    return "more" if edge == "more" else f"{edge}" if int(edge) <= 5 else f"up to {edge}"


def _seconds(seconds: float | None) -> str:
    return "above a week" if seconds is None else f"at most {seconds:g} s"


def _duplicates(told: dict[str, Any]) -> str:
    if told["suspects"] is None:
        return _COUNTING
    if told["high"] is None:
        return f"{_NOT_KNOWN}: identity.yaml does not look for them, or nobody has been compared yet"
    between = f"between {told['low']:.1%} and {told['high']:.1%}"
    if told["rate"] is None:
        return f"{_NOT_KNOWN}, {between}: nobody has decided about a candidate"
    return f"{told['rate']:.1%}, {between} (95 %, of {told['decided']:,} decisions)"
