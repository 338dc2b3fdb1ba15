"""The console on which commands print: a terminal of its own width, or a pipe, where tables take the room they need."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

Told = Callable[[int, str], None]

_PIPE_COLUMNS: Final = 400
_TENTHS: Final = 10


def console(*, stderr: bool = False) -> Console:
    """A console for stdout or stderr. `COLUMNS` decides how wide it is, where it is set."""
    made = Console(stderr=stderr, highlight=False)
    # Where there is no terminal, Rich assumes 80 columns and cuts words to fit into them. A file has no such edge.
    if not made.is_terminal and not os.environ.get("COLUMNS"):
        made.width = _PIPE_COLUMNS
    return made


@contextmanager
def waiting(console: Console, what: str) -> Iterator[None]:
    """Say what takes a while, for as long as the body runs; without a terminal, say it once."""
    if console.is_terminal:
        with console.status(f"{what} …"):
            yield
    else:
        console.print(f"{what} …")
        yield


@contextmanager
def bar(console: Console, what: str, total: int) -> Iterator[Told]:
    """A progress bar. The body moves it with a function that takes the count and a word; without a terminal it prints
    a line at each tenth."""
    if not console.is_terminal:
        yield _lines(console, what, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[reached]}"), console=console) as progress:
        task = progress.add_task(what, total=total, reached="")
        yield lambda done, reached: progress.update(task, completed=done, reached=reached)


def _lines(console: Console, what: str, total: int) -> Told:
    told = 0

    def tell(done: int, reached: str) -> None:
        nonlocal told
        if (tenth := done * _TENTHS // max(total, 1)) > told:
            told = tenth
            console.print(f"{what} {done:,} of {total:,}  {reached}")

    return tell
