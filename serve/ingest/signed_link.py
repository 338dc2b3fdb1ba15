"""Finds the token of a message's link in what a page or an app tells of itself (`engine.handoffs.links`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from engine.handoffs.links import PARAMETER, TOKEN_CHARS_MAX

_TOLD: Final = f"{PARAMETER}="
_IN_QUERY: Final = re.compile(rf"(?:^|[?&]){PARAMETER}=([^&#]*)")
_WHERE: Final = ("search", "url")


def token_in(context: Mapping[str, Any], properties: Mapping[str, Any]) -> str:
    """The token, empty where there is none: `sg` of the context or of the properties, else in `search` or `url` of
    `context.page` or of the properties. It is not verified, and may be anything up to a bounded length."""
    if PARAMETER in context or PARAMETER in properties:
        for told in (context.get(PARAMETER), properties.get(PARAMETER)):
            if told.__class__ is str and told:
                return _bounded(str(told))
    page = context.get("page")
    return (_in_query(page) if page.__class__ is dict else "") or _in_query(properties)


def _in_query(told: Mapping[str, Any]) -> str:
    for name in _WHERE:
        if name in told:
            text = told[name]
            if text.__class__ is str and _TOLD in text and (found := _IN_QUERY.search(text.partition("#")[0])):
                return _bounded(found[1])
    return ""


def _bounded(token: str) -> str:
    """A text that is too long for a token is none; what is left of it cannot be verified, which is noted."""
    return token[: TOKEN_CHARS_MAX + 1]
