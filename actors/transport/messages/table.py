"""Every type of request. Found in the modules, so no new one can be forgotten here."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Final

from actors.transport.messages import base, of_dispatcher, of_doors, of_matching, of_shards, of_things
from actors.transport.messages.base import FromDispatcher, Request


def _requests(*modules: ModuleType) -> tuple[type[Request[Any]], ...]:
    found = [each for module in modules for each in vars(module).values() if _is_request(each)]
    return tuple(dict.fromkeys(found))


def _is_request(each: object) -> bool:
    return isinstance(each, type) and issubclass(each, Request) and each not in (Request, FromDispatcher)


REQUESTS: Final = _requests(base, of_doors, of_shards, of_dispatcher, of_matching, of_things)
