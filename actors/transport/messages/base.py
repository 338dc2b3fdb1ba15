"""The messages between the processes of an engine: a type for each request, a type for each answer.

A request names the type of its answer, so both ends know both from one place. The name of a request's class is its name
on the wire, and its fields travel as a list, in their order: a change of a name or a field raises `wire.VERSION`.
Contents that are only passed on travel as `msgspec.Raw`: their bytes are neither decoded nor encoded again.

    of_doors.py        requests of the doors to a shard, and to the dispatcher
    of_shards.py       requests of shards to each other
    of_dispatcher.py   requests of the dispatcher to a shard
    of_matching.py     requests of matching to a shard
    of_things.py       facts about things, to every shard
    table.py           all of them
"""

from __future__ import annotations

from functools import cache
from typing import Any, Generic, TypeVar, get_args

import msgspec

A = TypeVar("A", bound="Answer")


class Answer(msgspec.Struct, array_like=True, gc=False):
    """The answer to a request that does not fail."""


class Request(msgspec.Struct, Generic[A], array_like=True, gc=False):
    """A request of one process to another; `A` is the type of its answer."""


class FromDispatcher(Request[A]):
    """A request that a shard handles for the newest dispatcher alone; any other gets the error `Fenced`."""

    dispatcher: str


@cache
def answer_of(request: type[Request[Any]]) -> type[Answer]:
    """The type of the answer to a type of request."""
    bases: tuple[type, ...] = request.__orig_bases__  # type: ignore[attr-defined]
    answer: type[Answer] = get_args(bases[0])[0]
    return answer


class Pong(Answer):
    """The process works."""


class Ping(Request[Pong]):
    """Asks for a sign of life."""


class Acknowledged(Answer):
    """The request was handled, and its effect is durable where anything was to be kept."""
