"""`make prove`: runs the long sweeps, one after the other, and prints their figures at the end.

A sweep is a function of a size and a folder; SWEEPS has them all, with the size that a full run takes. Each starts its
own processes, on loopback, and leaves none running. Exit code: 0 where every sweep is as it must be, else 1, with each
fault named.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from loadtest.chaos import chaos
from loadtest.chaos.outcome import Outcome
from loadtest.sweeps import (
    apart,
    attack,
    delivery,
    edits,
    examples,
    joining,
    orders,
    quiet_zones,
    reverts,
    splits,
    weekly,
)
from serve.commands import screen


@dataclass(frozen=True, slots=True)
class Sweep:
    """One entry of SWEEPS. Its size counts `unit`."""

    run: Callable[[int, Path], Outcome]
    size: int
    unit: str
    about: str


SWEEPS: Final[dict[str, Sweep]] = {
    "delivery": Sweep(delivery.sweep, delivery.LETTERS, "letters", "a mail server that takes 2 s for each mail"),
    "splits": Sweep(splits.sweep, splits.SPLITS, "merges", "random merges, each undone at once"),
    "attack": Sweep(attack.sweep, attack.SECONDS, "seconds", "slow, huge, lying, many and idle clients at the door"),
    "orders": Sweep(
        orders.sweep, orders.SEEDS, "worlds", "the same people joined in other orders, on one and four shards"
    ),
    "edits": Sweep(edits.sweep, edits.CUSTOMERS, "customers", "a journey edited while they are inside, and its plans"),
    "apart": Sweep(apart.sweep, apart.SEEDS, "worlds", "people joined and taken apart at random, over four shards"),
    "lives": Sweep(examples.lives, examples.LIVES, "lives", "people joined, split and erased while the power fails"),
    "journeys": Sweep(
        examples.journeys, examples.JOURNEYS, "journeys", "every kind of step, random streams, and a crash in each"
    ),
    "reverts": Sweep(
        reverts.sweep, reverts.SEEDS, "worlds", "what two sources did is split, joined again, reverted and erased"
    ),
    "zones": Sweep(quiet_zones.sweep, quiet_zones.DAYS, "days", "quiet hours in every zone, by the clock on the wall"),
    "weekly": Sweep(weekly.sweep, weekly.CUSTOMERS, "customers", "78 weekly letters, against what the file says"),
    "joining": Sweep(joining.sweep, joining.SECONDS, "seconds", "people joined and taken apart, kill -9, the books"),
    "chaos": Sweep(chaos.sweep, chaos.SECONDS, "seconds", "kill -9 under load, then the books"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for, print the figures, write them as JSON."""
    asked = _parser().parse_args(arguments)
    other = dict(asked.size or ())
    sizes = {name: other.get(name, SWEEPS[name].size) for name in asked.only or SWEEPS}
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # so that no engine outlives this
    said: dict[str, Any] = {}
    try:
        for name, size in sizes.items():
            said[name] = _run(name, size)
    except KeyboardInterrupt:
        return 130
    finally:
        if said:
            _print(said)
            if asked.json:
                asked.json.write_text(json.dumps(said, indent=2) + "\n", "utf-8")
    faults = [f"{name}: {fault}" for name, each in said.items() for fault in each["faults"]]
    for fault in faults:
        print(f"NOT PROVED: {fault}", file=sys.stderr)
    return 1 if faults else 0


def _run(name: str, size: int) -> dict[str, Any]:
    sweep, folder = SWEEPS[name], Path(tempfile.mkdtemp(prefix=f"segue-prove-{name}-"))
    print(f"{name}: {sweep.about}; {size:,} {sweep.unit}", flush=True)
    began_s = time.monotonic()
    outcome = sweep.run(size, folder)
    if outcome.faults:
        print(f"{name}: its data and its engine's log are kept in {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    figures = [asdict(figure) for figure in outcome.figures]
    seconds = round(time.monotonic() - began_s, 1)
    return {"size": size, "unit": sweep.unit, "seconds": seconds, "figures": figures, "faults": outcome.faults}


def _print(said: dict[str, Any]) -> None:
    table = Table("sweep", "figure", "value", title="What the sweeps gave")
    for name, each in said.items():
        for figure in each["figures"]:
            table.add_row(name, figure["name"], f"{figure['value']:,} {figure['unit']}".strip())
        verdict = f"{len(each['faults'])} faults" if each["faults"] else "as it must be"
        table.add_row(name, "verdict", f"{verdict}, in {each['seconds']:,} s", end_section=True)
    screen.console().print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="prove", description="The long sweeps, and the figures that they give.")
    parser.add_argument("--only", action="append", choices=sorted(SWEEPS), help="this one alone; may be repeated")
    parser.add_argument("--size", action="append", type=_size, metavar="NAME=N", help="another size for a sweep")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    return parser


def _size(text: str) -> tuple[str, int]:
    name, _, size = text.partition("=")
    if name not in SWEEPS or not size.isdecimal() or int(size) < 1:
        raise argparse.ArgumentTypeError(f"NAME=N with a sweep ({', '.join(SWEEPS)}) and a size from 1 on, not {text}")
    return name, int(size)


if __name__ == "__main__":
    sys.exit(main())
