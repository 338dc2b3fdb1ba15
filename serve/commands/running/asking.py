"""The way from a command to a running engine: where that answers, and by which key it is asked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated
from urllib.parse import quote

import typer

from engine.errors import UsageError
from engine.values.identifiers import FORMS, parse_reference
from serve.demo.replayer import EngineClient

HERE = "http://127.0.0.1:8000"
KEY = "SEGUE_SERVER_KEY"

Url = Annotated[str, typer.Option("--url", envvar="SEGUE_URL", help="Where the engine answers.")]


@contextmanager
def engine(url: str) -> Iterator[EngineClient]:
    """An engine by its server key, which is in the environment; UsageError where it cannot be one."""
    key = os.environ.get(KEY)
    if not key:
        raise UsageError("is needed in the environment", KEY)
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise UsageError("is no key: it has characters that no key has", KEY)
    client = EngineClient(url, key)
    try:
        yield client
    finally:
        client.close()


def path_of(reference: str) -> str:
    """The path of the customer `namespace:value`; InvalidInput where that names nobody."""
    return f"/v1/profiles/{quote(named(reference), safe=':')}"


def named(reference: str) -> str:
    """`namespace:value` in canonical form; InvalidInput where that names nobody. What only the engine can read goes as
    it is: a telephone without its country code, and a namespace of the workspace's own."""
    namespace, colon, _ = reference.partition(":")
    is_the_engine_s = bool(colon and namespace) and (namespace == "phone" or namespace not in FORMS)
    return reference if is_the_engine_s else ":".join(parse_reference(reference))
