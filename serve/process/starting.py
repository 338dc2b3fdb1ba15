"""What a start does beside starting: it ends what a killed engine has left, and says in the log what it has found."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.platform import diary
from actors.storage import inventory
from engine.errors import SegueError
from serve.process import orphans
from serve.process.data_directory import lock

if TYPE_CHECKING:
    from serve.process.engine_process import EngineProcess

_NAMES = {"write": "web", "server": "server"}  # of the two first keys


def end_orphans(data: Path) -> int:
    """End what an engine whose front process was killed has left here, an HAProxy on the port among it."""
    if not (data / orphans.RUN_FILE).exists():
        return 0
    with lock(data):  # held by the front process of an engine that lives
        return orphans.end(data)


@contextlib.contextmanager
def noting(note: Callable[..., None]) -> Iterator[None]:
    """Write down why a start fails."""
    try:
        yield
    except (SegueError, OSError) as error:
        note("start_failed", "error", reason=str(error))
        raise


def note_if_ours(data: Path, event: str, level: str, **facts: Any) -> None:
    """Write an event into the log of a data directory that is none of this process yet: where it is one, and no other
    engine runs on it, whose log is not ours."""
    with contextlib.suppress(SegueError, OSError):
        if (data / inventory.FILE).exists() or inventory.others(data):
            with lock(data):
                diary.write(data, event, level, **facts)


def note_start(engine: EngineProcess) -> None:
    """It is ready: with which catalog, where, and what was found or made on the way."""
    for kind in engine.made_keys:
        engine.note("key_created", name=_NAMES[kind], kind=kind)
    if engine.orphans:
        engine.note("orphans_ended", "warning", processes=engine.orphans)
    for notice in engine.notices:
        engine.note("damage_found", "error", damage=notice)
    facts = {"url": engine.settings.url, "shards": engine.settings.shards, "clock": engine.settings.clock}
    engine.note("engine_started", version=version("segue"), catalog=engine.catalog.version, **facts)
