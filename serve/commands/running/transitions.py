"""`segue transitions`: how customers come from one touchpoint to another."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from serve.commands import screen
from serve.commands.running import asking

_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"), (1, "ms"))


def transitions(
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON lines.")] = False,
    url: asking.Url = asking.HERE,
) -> None:
    """Show the ways of all customers between touchpoints: what came along, how fast, and whether that was fast enough
    (SEGUE_SERVER_KEY is the engine's key)."""
    with asking.engine(url) as client:
        rows = client.get("/v1/transitions")["transitions"]
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row, ensure_ascii=False))
        return
    console = screen.console()
    if not rows:
        console.print("no customer has come from one touchpoint to another")
        return
    print_table(console, rows)


def print_table(console: Console, rows: list[dict[str, Any]]) -> None:
    """The rows as a table, and below it what was missed."""
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column("from → to")
    table.add_column("what came along")
    table.add_column("linked by")
    for column in ("times", "time between, half / 95 %", "context ready, half / 95 %", "required", "met"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(
            escape(f"{row['from']} → {row['into']}"),
            escape(_carried(row["carried"])),
            escape(_linked(row["by"])),
            f"{row['count']:,}",
            _pair(row["tookMs"]),
            _pair(row["readyMs"]),
            "" if row["requiredMs"] is None else duration(row["requiredMs"]),
            "" if row["met"] is None else _share(row["met"]),
        )
    console.print(table)
    for row in rows:
        if row["missed"]:
            what = ", ".join(f"{_missed(name)} {_times(count)}" for name, count in row["missed"].items())
            console.print(escape(f"{row['from']} → {row['into']} by {_linked(row['by'])}: {what}"))


def duration(duration_ms: int) -> str:
    """A duration in its two greatest units, as people say it."""
    for place, (unit_ms, unit) in enumerate(_UNITS):
        if duration_ms < unit_ms:
            continue
        count, rest_ms = divmod(duration_ms, unit_ms)
        if unit in ("s", "ms"):
            return f"{duration_ms / unit_ms:.3g} {unit}"
        smaller_ms, smaller = _UNITS[place + 1]
        rest = rest_ms // smaller_ms
        return f"{count} {unit}" + (f" {rest} {smaller}" if rest else "")
    return "0 ms"


def _pair(quantiles: dict[str, int]) -> str:
    return f"{duration(quantiles['p50'])} / {duration(quantiles['p95'])}"


def _carried(shares: dict[str, float]) -> str:
    """The parts, the most frequent first, with the share where not everybody had one."""
    return ", ".join(name if share == 1 else f"{name} {_share(share)}" for name, share in shares.items())


def _linked(by: str) -> str:
    return {"link": "signed link", "": "its profile"}.get(by, by.replace("_", " "))


def _missed(name: str) -> str:
    return "too late" if name == "late" else f"without {name}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _share(share: float) -> str:
    return f"{share * 100:.3g} %"
