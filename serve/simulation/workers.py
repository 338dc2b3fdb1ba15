"""Processes that share out some work, or none where one is enough. The results come in the order of the work."""

from __future__ import annotations

import gc
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from engine.errors import SegueError

Work = TypeVar("Work")
Result = TypeVar("Result")

_AHEAD: Final = 2  # pieces of work for each process that wait, so that none has to wait for this one

_SELDOM: Final = (100_000, 50, 100)  # thresholds of the collector: each look walks all that was made

_does: Callable[[Any], Any] | None = None  # in a process of its own: what it was started for


def _begin(does: Callable[[Any], Any]) -> None:
    global _does
    _does = does
    gc.set_threshold(*_SELDOM)


def _do(work: Any) -> Any:
    assert _does is not None, "a process is told its work when it starts"
    return _does(work)


@contextmanager
def rarely_collected() -> Iterator[None]:
    """Let the collector look seldom, and not at what is here now: a simulation makes much that stays and few
    circles."""
    was = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*was)
        gc.unfreeze()


def share_out(processes: int, does: Callable[[Work], Result], work: Iterable[Work]) -> Iterator[Result]:
    """Do each piece of work; no more of it is taken than is about to be done.

    The processes are forked from this one: a compiled catalog is full of functions, and cannot be sent. Where a system
    cannot fork, this process does all of it.
    """
    if processes == 1 or "fork" not in multiprocessing.get_all_start_methods():
        with rarely_collected():
            yield from map(does, work)
        return
    gc.collect()
    gc.freeze()  # what is here now stays, and the collectors of the others need not touch and so copy it
    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(does,))
    waiting: deque[Future[Result]] = deque()
    try:
        for piece in work:
            waiting.append(pool.submit(_do, piece))
            if len(waiting) > processes * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise SegueError("a process of the simulation was killed, perhaps for want of memory") from None
    finally:
        pool.shutdown(cancel_futures=True)
        gc.unfreeze()
