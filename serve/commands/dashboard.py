"""`segue dashboard`: the Grafana dashboard of this version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from serve.process.dashboard import dashboard as described


def dashboard(
    out: Annotated[Path | None, typer.Option("--out", help="Write it to this file instead of printing it.")] = None,
) -> None:
    """Print the Grafana dashboard, to be imported there."""
    text = json.dumps(described(), indent=1) + "\n"
    if out is None:
        print(text, end="")
    else:
        out.write_text(text, "utf-8")
