"""What must be true of a customer so that a condition holds: the condition's atoms, each wished for or not.

A condition of several ways (`any`, or a `not` over an `all`) becomes several lists of wishes. Segments and suppressions
are taken apart. What a story cannot bring about, such as an outcome of another message, is a wish that cannot be met.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

from engine.catalog.compiled import Catalog
from engine.conditions.predicates import LIKELY, tree_of

WAYS_MAX: Final = 16  # how many ways of a condition are tried
_DEPTH_MAX: Final = 40

Tree = Mapping[str, Any]


class Wish(NamedTuple):
    """An atom of a condition that holds, or does not."""

    word: str
    body: Any
    holds: bool


Way = tuple[Wish, ...]


def ways(tree: Tree | None, catalog: Catalog, *, holds: bool = True) -> list[Way]:
    """The first ways in which a condition holds, or does not; None holds always."""
    if tree is None:
        return [()] if holds else []
    return [*islice(_ways(tree, catalog, holds, 0), WAYS_MAX)]


def unmet(way: Way) -> str:
    """What a story cannot bring about of a way; empty where nothing stands against it."""
    for wish in way:
        if not wish.holds:
            continue
        match wish.word:
            case "outcome":
                return "it asks what became of an earlier message"
            case "context":
                return "it asks about the context of a request, and a journey has none"
            case "trait" if wish.body["name"].partition(".")[0] == LIKELY:
                return "it asks about somebody who is probably the same person"
            case "bought":
                return "it asks about lines of purchases"
    return ""


def _ways(tree: Tree, catalog: Catalog, holds: bool, depth: int) -> Iterator[Way]:
    ((word, body),) = tree.items()
    if depth > _DEPTH_MAX:
        return
    if word == "not":
        yield from _ways(body, catalog, not holds, depth + 1)
    elif (word == "all") == holds and word in ("all", "any"):
        yield from _together(body, catalog, holds, depth + 1)
    elif word in ("all", "any"):
        for part in body:
            yield from _ways(part, catalog, holds, depth + 1)
    elif word in ("segment", "suppression"):
        yield from _inside(word, body, catalog, holds, depth + 1)
    else:
        yield (Wish(word, body, holds),)


def _together(parts: list[Tree], catalog: Catalog, holds: bool, depth: int) -> Iterator[Way]:
    """Every choice of one way of each part."""
    if not parts:
        yield ()
        return
    first, *rest = parts
    for way in _ways(first, catalog, holds, depth):
        for others in _together(rest, catalog, holds, depth):
            yield (*way, *(wish for wish in others if wish not in way))


def _inside(word: str, name: str, catalog: Catalog, holds: bool, depth: int) -> Iterator[Way]:
    if word == "segment":
        condition = catalog.segments.get(name)
    else:
        condition = next((rule.when for rule in catalog.suppressions if rule.id == name), None)
    tree = tree_of(condition) if condition is not None else {"any": []}
    if tree is not None:
        yield from _ways(tree, catalog, holds, depth)
    elif holds:
        yield ()
