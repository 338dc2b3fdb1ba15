"""The console on which commands print: a terminal of its own width, or a pipe, where tables take the room they need."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

Told = Callable[[int, str], None]

PIPE_COLUMNS: Final = 400
_TENTHS: Final = 10


def console(*, stderr: bool = False) -> Console:
    """A console for stdout or stderr. `COLUMNS` decides how wide it is, where it is set."""
    made = Console(stderr=stderr, highlight=False)
    if not are_columns_set():
        # Where there is no terminal, Rich assumes 80 columns and cuts words to fit into them. A file has no such edge.
        # Of COLUMNS=0, it makes a terminal without room; here 0 is as in a shell, where it says nothing.
        made.width = made.width or shutil.get_terminal_size().columns if made.is_terminal else PIPE_COLUMNS
    return made


def are_columns_set() -> bool:
    """Whether `COLUMNS` says how wide the output is: with a number of 1 or more."""
    said = os.environ.get("COLUMNS", "")
    return said.isdecimal() and int(said) > 0


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
