"""`segue profile`: one customer of a running engine."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from serve.commands import screen
from serve.commands.running import asking
from serve.demo import story_page


def profile(
    reference: Annotated[str, typer.Argument(metavar="NS:VALUE", help="For example email:ada@example.com.")],
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="What would become of every action now, where it stands with every journey, and why."
        ),
    ] = False,
    at: Annotated[str, typer.Option("--at", help="The state at a past moment (ISO 8601), without the timeline.")] = "",
    message: Annotated[
        str, typer.Option("--message", metavar="SEND", help="What this message said; its id stands in the timeline.")
    ] = "",
    url: asking.Url = asking.HERE,
) -> None:
    """One customer: identifiers, consent, caps, journeys, timers, timeline (SEGUE_SERVER_KEY is the engine's key)."""
    path = asking.path_of(reference)
    console = screen.console()
    with asking.engine(url) as client:
        if message:
            _print_message(console, client.get(f"{path}/messages/{quote(message, safe='')}"))
            return
        if at:
            _print_state(console, client.get(path, at=at))
            return
        _print_state(console, client.get(path))
        story_page.path_of(console, client.get(f"{path}/timeline", limit=200)["entries"])
        if explain:
            found = client.get(f"{path}/why")
            _print_why(console, found["actions"])
            _print_journeys(console, found["journeys"])


def _print_state(console: Console, known: dict[str, Any]) -> None:
    names = ", ".join(f"{link['namespace']}:{link['value']}" for link in known["identifiers"])
    console.print(f"[bold]{escape(names)}[/]  [dim]profile {known['profileId']}")
    table = Table.grid(padding=(0, 3))
    rows: dict[str, list[str]] = {
        "addresses": [
            f"{link['value']}: {link['why']} {link['since'][:10]}, {'verified' if link['verified'] else 'unverified'}"
            + (f", named by {link['source']}" if link.get("source") else "")
            for link in known["identifiers"]
            if link.get("current")
        ],
        "traits": [f"{name} {value}" for name, value in known["traits"].items()],
        "segments": known["segments"],
        "consent": [
            f"{row['purpose']} by {row['channel']}: {'granted' if row['granted'] else 'withdrawn'} {row['at'][:10]}"
            for row in known["consent"]
        ],
        "caps": [
            f"{row['cap']}: {row['left']} of {row['limit']} left" for row in known["caps"] if row["left"] < row["limit"]
        ],
        "journeys": [
            f"{row['journey']} {row['state']}"
            + (f" by {row['endedBy']}" if row["endedBy"] else f", step {row['step']}")
            for row in known["journeys"]
        ],
        "timers": [f"{row['journey']} at {row['at']}" for row in known["timers"]],
    }
    for name, values in rows.items():
        table.add_row(f"[dim]{name}", escape("\n".join(values) or "none"))
    console.print(table)


def _print_message(console: Console, said: dict[str, Any]) -> None:
    """Print the plain text of a message, and how we know it."""
    console.print(f"[bold]{escape(said['action'])}[/] by {said['channel']}: {said['outcome']} {escape(said['reason'])}")
    if said["from"] is None:
        console.print(f"What it said is not to be had: {escape(said['missing'])}")
        return
    console.print(f"[dim]{said['at']} to {escape(said['address'])}")
    how = f"rendered anew from the customer's facts of then and catalog {said['catalogVersion']}; links do not work"
    console.print(f"[dim]{how}", soft_wrap=True)
    console.print(f"\n[bold]{escape(said['subject'])}[/]\n\n{escape(said['text'])}", soft_wrap=True)


def _print_why(console: Console, actions: list[dict[str, Any]]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("action", "tier", "where", "now"):
        table.add_column(column)
    for row in actions:
        for gate in row["gates"]:
            where = gate["channel"] + (f" {gate['placement']}" if gate["placement"] else "")
            now = "[green]may go" if gate["wouldGo"] else escape(_no(gate))
            table.add_row(row["actionId"], row["tier"], where, now)
    console.print(table)


def _print_journeys(console: Console, journeys: list[dict[str, Any]]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("journey", "status", "at", "where the customer stands"):
        table.add_column(column)
    for row in journeys:
        at = row.get("at", "")[:19].replace("T", " ")
        table.add_row(row["journeyId"], row["status"], at, "[green]inside" if row["inside"] else escape(_no(row)))
    console.print(table)


def _no(gate: dict[str, Any]) -> str:
    """The reason of a gate or a journey; where a condition is behind it, also the values that it wanted and saw."""
    behind = gate.get("condition")
    if behind is None:
        return str(gate["reason"])
    parts = behind.get("parts") or [behind]
    lines = [f"{part['path']} {part['wanted']}: saw {part['saw']}" for part in parts]
    return "\n  ".join([gate["reason"], *lines])
