"""The rest of a start, beside its parts: it ends the processes that a killed engine has left, and logs its findings."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from actors.platform import diary
from actors.storage import inventory
from engine.errors import SegueError
from serve.process.data_directory import lock
from serve.process.ray_runtime import orphans
from serve.process.settings import Settings

_NAMES = {"write": "web", "server": "server"}  # of the two first keys


def end_orphans(data: Path) -> int:
    """End the processes that are left here of an engine whose front process was killed, such as an HAProxy that holds
    the port. Returns how many there were."""
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
    """Write an event into the log of a data directory that this process does not hold yet. Only where it is a data
    directory, and no other engine runs on it: that engine's log is not ours."""
    with contextlib.suppress(SegueError, OSError):
        if (data / inventory.FILE).exists() or inventory.others(data):
            with lock(data):
                diary.write(data, event, level, **facts)


def note_start(
    note: Callable[..., None],
    settings: Settings,
    catalog: str,
    *,
    keys_made: Iterable[str],
    orphans_ended: int,
    damage: Iterable[str],
) -> None:
    """Log that the engine is ready: by which catalog, where, and what was found or made on the way."""
    for kind in keys_made:
        note("key_created", name=_NAMES[kind], kind=kind)
    if orphans_ended:
        note("orphans_ended", "warning", processes=orphans_ended)
    for found in damage:
        note("damage_found", "error", damage=found)
    facts = {"url": settings.url, "shards": settings.shards, "clock": settings.clock}
    note("engine_started", version=version("segue"), catalog=catalog, **facts)
