"""Finds and rewrites the properties of the event that texts read: `{{ event.order.id }}`, and the items of a loop over
a list of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

# (path, lines below the text's beginning, the list whose items are read or "") → the shop's path
PathOf = Callable[[str, int, str], str]

_CODE: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_LOOP: Final = re.compile(r"\bfor\s+(\w+)\s+in\s+event\.([\w.]+)")
_STEP: Final = re.compile(r"[A-Za-z_]\w*")


def rewritten(text: str, path_of: PathOf) -> str:
    """The text with each path replaced."""
    lists = {found[1]: found[2] for found in _LOOP.finditer(text)}
    roots = "|".join(["event", *lists])
    reads = re.compile(rf"(?<![\w.$\"'])({roots})((?:\.\w+)+)")

    def in_code(code: re.Match[str]) -> str:
        def one(found: re.Match[str]) -> str:
            line = text.count("\n", 0, code.start() + found.start())
            root, path = found[1], found[2][1:]
            theirs = path_of(path, line, lists.get(root, ""))
            return root + (found[2] if theirs == path else spelled(theirs))

        return reads.sub(one, code[0])

    return _CODE.sub(in_code, text)


def spelled(path: str) -> str:
    """A path behind its root: `.order.id`, and `["Order ID"]` for what is no name in an expression."""
    return "".join(f".{step}" if _STEP.fullmatch(step) else f'["{step}"]' for step in path.split("."))
