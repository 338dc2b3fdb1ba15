"""What the commands about plans share: what they are asked, what they send, and how a plan looks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from engine.catalog.schema.of_steps.editing import RESTS
from engine.errors import UsageError
from serve.commands import screen
from serve.process import proposals, which_catalog

Config = Annotated[Path | None, typer.Option("--config", help="The folder of the proposal.")]
Branch = Annotated[str, typer.Option("--branch", help="The branch of its git repository that has it.")]
Inside = Annotated[
    list[str] | None,
    typer.Option("--inside", metavar="JOURNEY=WORD", help="Who is inside will follow, finish or stop; repeatable."),
]
Mapped = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="JOURNEY:STEP=STEP", help="Who is at the one step goes on at the other; repeatable."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
GROUPS_SHOWN = 12


def body(config: Path | None, branch: str, inside: list[str] | None, mapped: list[str] | None) -> dict[str, Any]:
    """A proposal as the engine takes it. UsageError where an option cannot be read."""
    with proposals.folder(which_catalog.which(config), branch) as folder:
        return proposals.body(folder) | {"rules": rules(inside or [], mapped or [])}


def rules(inside: list[str], mapped: list[str]) -> dict[str, dict[str, Any]]:
    """The rules that were stated by options."""
    found: dict[str, dict[str, Any]] = {}
    for each in inside:
        journey, _, word = each.partition("=")
        if not journey or word not in RESTS:
            raise UsageError(f"{each} is not JOURNEY=follow, =finish or =stop", "--inside")
        found.setdefault(journey, {"rest": word, "map": {}})["rest"] = word
    for each in mapped:
        journey, _, steps = each.partition(":")
        left, _, right = steps.partition("=")
        if not (journey and left and right):
            raise UsageError(f"{each} is not JOURNEY:STEP=STEP", "--map")
        found.setdefault(journey, {"rest": "finish", "map": {}})["map"][left] = right
    return found


def show(plan: dict[str, Any]) -> None:
    """Print a plan."""
    console = screen.console()
    files = plan["files"]
    for what in ("added", "changed", "removed"):
        for name in files[what]:
            console.print(f"{what:<9}{escape(name)}", soft_wrap=True)
    if not any(files.values()):
        console.print("nothing changes: these files are active")
    for row in plan["journeys"]:
        _show_journey(row)
    for warning in plan["warnings"]:
        console.print(f"[yellow]warning:[/] {escape(warning)}", soft_wrap=True)
    console.print(f"\nplan {plan['plan']}: catalog {plan['catalogVersion']} → {plan['proposed']}")


def _show_journey(row: dict[str, Any]) -> None:
    console, rule = screen.console(), row["rule"]
    change = "as it was" if row["change"] == "shared" else row["change"]
    console.print(f"\n[bold]{escape(row['journey'])}[/] is {change}, {_people(row['customers'])} inside")
    if row["shared"]:
        console.print(
            f"  at once for everybody inside: another {escape(', another '.join(row['shared']))}", soft_wrap=True
        )
    if row["change"] == "new":
        return
    becomes = ", ".join(f"{count:,} {word}" for word, count in row["becomes"].items() if count)
    said = f"{rule['rest']}{', and a map' if rule['map'] else ''}"
    console.print(f"  {becomes or 'nobody is inside'}  (rule: {said}{'' if rule['stated'] else ', as nobody said'})")
    if row["steps"]:
        console.print(_table(("step", "kind", "change", "before", "at", "after"), row["steps"]))
    if row["groups"]:
        shown = [each | {"goes on": each.get("to", {}).get("step", "")} for each in row["groups"][:GROUPS_SHOWN]]
        console.print(_table(("version", "step", "customers", "becomes", "goes on", "reason"), shown))
        if more := len(row["groups"]) - len(shown):
            console.print(f"  and {more} more groups (--json)")


def _table(columns: tuple[str, ...], rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 2), header_style="dim")
    for column in columns:
        table.add_column(column, justify="right" if isinstance(rows[0].get(column), int) else "left")
    for row in rows:
        cells = (row.get(column, "") for column in columns)
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else escape(str(cell)) for cell in cells))
    return table


def _people(count: int) -> str:
    return "1 customer" if count == 1 else f"{count:,} customers"


def confirm(plan: dict[str, Any], *, is_sure: bool) -> None:
    """Have a person approve a plan; typer.Abort where they do not."""
    if not is_sure:
        typer.confirm(f"Let catalog {plan['proposed']} take effect?", abort=True)
