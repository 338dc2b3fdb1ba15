"""Every request and every answer arrives as it was sent, and every request is taken by somebody."""

from __future__ import annotations

import asyncio
import enum
import importlib
import inspect
import pkgutil
import types
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.world import CART, ID_KEY, compiled

from actors.catalog_files.active_catalog import ActiveCatalog
from actors.delivery.dispatcher import Dispatcher
from actors.platform.clock import WallClock
from actors.serving.shard_server import ShardServer
from actors.shard.queries import queries
from actors.shard.shard import Shard
from actors.storage.memory_store import MemoryStore
from actors.transport import messages
from actors.transport.frame_client import FrameClient
from actors.transport.frame_server import FrameServer, Reply
from actors.transport.messages.base import Answer, FromDispatcher, Request, answer_of
from actors.transport.messages.of_doors import Reading
from actors.transport.messages.table import REQUESTS

# -- values of whatever a field may hold, from its annotation

TEXT = st.text(st.characters(codec="utf-8"), max_size=6)
PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | TEXT | st.binary(max_size=6)
ANYTHING = st.recursive(PLAIN, lambda each: st.lists(each, max_size=2) | st.dictionaries(TEXT, each, max_size=2))
OF_A_TYPE = {
    str: TEXT,
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False),
    bool: st.booleans(),
    bytes: st.binary(max_size=6),
    type(None): st.none(),
    msgspec.Raw: ANYTHING.map(lambda value: msgspec.Raw(msgspec.msgpack.encode(value))),
    Any: ANYTHING,
}


@cache  # one strategy for each type, however many types hold it: Hypothesis would compare the copies of one another
def values(kind: Any) -> st.SearchStrategy[Any]:
    """What a field of this annotation may hold; fails for an annotation that it does not know."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in OF_A_TYPE:
        return OF_A_TYPE[kind]
    if origin in (Union, types.UnionType):
        return st.one_of(*map(values, arguments))
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is list:
        return st.lists(values(arguments[0]), max_size=3)
    if origin is dict:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=2)
    if origin is tuple and arguments[-1] is not ...:
        return st.tuples(*map(values, arguments))
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=3).map(tuple)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return st.sampled_from(kind)
    assert isinstance(kind, type) and issubclass(kind, msgspec.Struct), f"no values of {kind}"
    hints = get_type_hints(kind)
    return st.builds(kind, **{name: st.deferred(lambda name=name: values(hints[name])) for name in fields(kind)})


def fields(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    return kind.__struct_fields__


# -- all of them

ANSWERS = sorted({answer_of(request) for request in REQUESTS}, key=lambda each: each.__name__)
MODULES = [
    importlib.import_module(f"{messages.__name__}.{module.name}") for module in pkgutil.iter_modules(messages.__path__)
]


def name_of(kind: type) -> str:
    return kind.__name__


def test_the_table_has_every_request_and_every_answer_answers_one():
    found = {each for module in MODULES for each in vars(module).values() if inspect.isclass(each)}
    requests = {each for each in found if issubclass(each, Request)} - {Request, FromDispatcher}
    assert set(REQUESTS) == requests and len(REQUESTS) == len({each.__name__ for each in REQUESTS})
    assert {each for each in found if issubclass(each, Answer)} - {Answer} == set(ANSWERS)


@pytest.mark.parametrize("kind", [*REQUESTS, *ANSWERS], ids=name_of)
@settings(max_examples=15)
@given(data=st.data())
def test_what_is_said_arrives_as_it_was_said(kind: type[msgspec.Struct], data: st.DataObject):
    said = data.draw(values(kind))
    packed = msgspec.msgpack.encode(said)
    arrived = msgspec.msgpack.decode(packed, type=kind)
    assert type(arrived) is kind and msgspec.msgpack.encode(arrived) == packed
    if not any(msgspec.Raw in get_args(hint) or hint is msgspec.Raw for hint in get_type_hints(kind).values()):
        assert arrived == said


@settings(max_examples=3, deadline=None)
@given(data=st.data())
def test_each_request_is_answered_by_its_own_answer_over_a_socket(data: st.DataObject, tmp_path_factory: Any):
    asked = {kind: data.draw(values(kind)) for kind in REQUESTS}
    answers = {kind: data.draw(values(answer_of(kind))) for kind in REQUESTS}
    path = tmp_path_factory.mktemp("s") / "s"

    def answer(request: Request[Any], reply: Reply) -> None:
        assert packed(request) == packed(asked[type(request)])
        reply.send(answers[type(request)])

    async def story() -> None:
        server, client = FrameServer(path, answer, REQUESTS), FrameClient(path)
        await server.start()
        for kind, request in asked.items():
            told = await client.call(request)
            assert type(told) is answer_of(kind) and packed(told) == packed(answers[kind])
        client.close()
        await server.close()

    asyncio.run(story())


def packed(said: msgspec.Struct) -> bytes:
    """Its bytes, because `Raw` equals nothing but itself."""
    return msgspec.msgpack.encode(said)


# -- who takes them


@pytest.mark.parametrize("what", [word for each in get_args(Reading) for word in get_args(each) or [each]])
def test_each_reading_has_its_line_in_the_queries_of_a_shard(what: str):
    assert f'what == "{what}"' in inspect.getsource(queries), f"actors/shard/queries/queries.py has no reading {what}"


def test_each_request_is_taken_by_the_shards_or_the_dispatcher(tmp_path: Path):
    """One that nobody takes fails here, and so does one that both take beside a sign of life."""
    catalog = compiled(CART)
    shard = Shard(0, MemoryStore(), catalog, WallClock())
    server = ShardServer(shard, str(tmp_path / "shard"), [str(tmp_path / "shard")])
    active_catalog = ActiveCatalog(tmp_path / "catalog", ID_KEY)
    active_catalog.put(catalog.document)
    dispatcher = Dispatcher(active_catalog, [server.path], str(tmp_path / "d"), public_url="", environ={})
    of_shard, of_dispatcher = server._server.requests, dispatcher._server.requests
    assert {*of_shard, *of_dispatcher} == {each.__name__ for each in REQUESTS}
    assert of_shard & of_dispatcher == {"Ping"}
