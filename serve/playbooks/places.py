"""Where a playbook names events and their properties, and the errors that point there."""

from __future__ import annotations

from typing import NamedTuple

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from engine.catalog.problems import Loc, spelled
from engine.errors import CatalogError


class Place(NamedTuple):
    """A name in a file: an event, or with a `path` a property of it."""

    file: str
    line: int
    loc: Loc
    event: str
    path: str = ""

    def problem(self, message: str) -> str:
        """A problem with what is named here, as `segue validate` prints problems."""
        where = spelled(self.loc)
        return f"{self.file}:{self.line}: {f'{where}: ' if where else ''}{message}"


def refuse(problems: list[str]) -> None:
    """CatalogError with these problems, each once, where there are any."""
    if problems:
        raise CatalogError(tuple(dict.fromkeys(problems)))


def line_of(node: object, key: object, fallback: int) -> int:
    """The line, from 1, of a key or an item; `fallback` where nobody knows."""
    if isinstance(node, CommentedMap | CommentedSeq) and node.lc.data and key in node.lc.data:
        return int(node.lc.data[key][0]) + 1
    return fallback
