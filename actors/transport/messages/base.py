"""What the processes of an engine say to each other: a type for each request, a type for each answer.

A request names the type of its answer, so both ends know both from one place. The name of a request's class is its name
on the wire, and its fields travel as a list, in their order: whoever changes a name or a field raises `wire.VERSION`.
What is only passed on travels as `msgspec.Raw`: its bytes are neither taken apart nor put together again.

    of_doors.py        what the doors ask of a shard, and of the dispatcher
    of_shards.py       what shards ask of each other
    of_dispatcher.py   what the dispatcher asks of a shard
    table.py           all of them
"""

from __future__ import annotations

from functools import cache
from typing import Any, Generic, TypeVar, get_args

import msgspec

A = TypeVar("A", bound="Answer")


class Answer(msgspec.Struct, array_like=True, gc=False):
    """What a request is answered with, where it does not fail."""


class Request(msgspec.Struct, Generic[A], array_like=True, gc=False):
    """What one process asks of another; `A` is the type of the answer."""


class FromDispatcher(Request[A]):
    """What a shard does for the newest dispatcher alone: any other is told `Fenced`."""

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
    """What was asked is done, and durable where anything was to be kept."""
