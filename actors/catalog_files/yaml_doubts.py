"""Finds parts of a YAML file that do not mean what they look like: a text `yes`, a `#` that begins a comment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ruamel.yaml.scalarstring import ScalarString

from engine.catalog.problems import Loc, Problem

# YAML 1.1 read these words as truth values. YAML 1.2, which is read here, takes them for texts.
_TRUTH: Final = {"yes": "true", "on": "true", "no": "false", "off": "false"}
# A text without quotes that has ` #` in it: YAML takes the rest for a comment.
_NOTE: Final = re.compile(
    r"^\s*(?:- )*(?:subject|text|title|body|because|preheader):\s+[^\"'#>|\[{\s][^\"']*?\s(#\S.*)$"
)
# A text without quotes that begins with `&word`: YAML takes the word for an anchor.
_MARK: Final = re.compile(
    r"^\s*(?:- |[\w-]+:\s+)*\{?\s*(?:subject|text|title|body|because|preheader):\s+(&[^\s,\]}]+)\s+[^\s\[{]"
)
_PRINTED_QUOTES: Final = {"“": "”“", "”": "”", "„": "“”", "‟": "”", "«": "»", "»": "«", "‘": "’", "‚": "‘’"}


def doubts(file: str, tree: Any, text: str) -> Iterator[Problem]:
    """The doubts, each with its place; `tree` is ruamel's tree of the text, which knows the quotes."""
    yield from _of(file, tree, ())
    for number, line in enumerate(text.splitlines(), 1):
        note = _NOTE.match(line)
        if note is not None:
            message = f"the text ends before {note[1]!r}, which is read as a note: put the text in quotes"
            yield Problem(file, ("yaml",), message, number)
        mark = _MARK.match(line)
        if mark is not None:
            message = f"{mark[1]} is read as a mark and not as a part of the text: put the text in quotes"
            yield Problem(file, ("yaml",), message, number)


def _of(file: str, node: Any, loc: Loc) -> Iterator[Problem]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _of(file, value, (*loc, str(key)))
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from _of(file, value, (*loc, i))
    elif isinstance(node, str) and not isinstance(node, ScalarString):
        if node in _TRUTH or (node.lower() in _TRUTH and node.istitle()):
            meant = _TRUTH[node.lower()]
            message = f'is the text "{node}": write {meant} where true or false is meant, else put it in quotes'
            yield Problem(file, loc, message)
        elif _is_enclosed(node):
            yield Problem(file, loc, f'the quotes {node[0]} are part of the text: those around a text are "')


def _is_enclosed(text: str) -> bool:
    """Whether printed quotes stand around all of a text, and not around a word in it."""
    closing = _PRINTED_QUOTES.get(text[:1], "")
    return len(text) > 1 and text[-1] in closing and not any(sign in closing for sign in text[1:-1])
