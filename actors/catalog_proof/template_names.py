"""Finds the names that templates read from `traits` and `event`, and the kind of value that each is used as."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import jinja2
from jinja2 import nodes

from actors.catalog_proof.invented_customers import Shape
from engine.texts.language import facts_of, parsed

_OF_NUMBERS: Final = frozenset(("abs", "filesizeformat", "float", "int", "money", "round"))
_OF_LISTS: Final = frozenset(
    (
        *("batch", "dictsort", "first", "groupby", "join", "last", "map", "max", "min", "random", "reject"),
        *("rejectattr", "reverse", "select", "selectattr", "slice", "sort", "sum", "unique"),
    )
)
_PASSES_ON: Final = _OF_LISTS | {"default", "d", "list"}
_FORMAT_OF_NUMBER: Final = re.compile(r"%[-+0 #]*[0-9]*(\.[0-9]+)?[dfeg]")

Names = dict[str, Shape]


def learn(texts: Iterable[str], templates: Mapping[str, str], roots: Names) -> None:
    """Add to `roots` (by `traits`, `event`) the names that these texts, and the templates that they include, use."""
    seen: set[str] = set()
    waiting = list(texts)
    while waiting:
        text = waiting.pop()
        if text in seen:
            continue
        seen.add(text)
        try:
            tree = parsed(text)
        except (jinja2.TemplateError, RecursionError):  # the compiler of the catalog reports it
            continue
        _Reader(roots).visit(tree, dict(roots))
        named = (name for name in facts_of(text).mentioned if name is not None)
        waiting += [templates[name] for name in named if name in templates]


class _Reader:
    def __init__(self, roots: Names) -> None:
        self._roots = roots

    def visit(self, node: nodes.Node, known: Names) -> None:
        """A node and all in it; `known` are the names that mean something here."""
        look = _LOOKS.get(type(node))
        if look is not None:
            look(self, node, known)
        else:
            self.shape(node, known)
        if isinstance(node, nodes.For):
            inner = dict(known)
            if isinstance(node.target, nodes.Name):
                found = self.shape(node.iter, known)
                inner[node.target.name] = found.each() if found is not None else Shape()
            elif isinstance(node.target, nodes.Tuple) and (pairs := self.shape(node.iter, known)) is not None:
                pairs.each().each()
            self.visit(node.iter, known)
            for child in (*node.body, *node.else_, *([node.test] if node.test else [])):
                self.visit(child, inner)
            return
        for child in node.iter_child_nodes():
            self.visit(child, known)

    def shape(self, node: Any, known: Names) -> Shape | None:
        """The shape of an expression's value, None where it is not of the customer."""
        if isinstance(node, nodes.Name):
            return known.get(node.name)
        if isinstance(node, nodes.Filter) and node.name in _PASSES_ON and node.node is not None:
            return self.shape(node.node, known)
        if isinstance(node, nodes.Or | nodes.And):
            return self.shape(node.left, known)
        if isinstance(node, nodes.Getattr):
            home = self.shape(node.node, known)
            return home.at(node.attr) if home is not None else None
        if isinstance(node, nodes.Getitem):
            home = self.shape(node.node, known)
            if home is None or not isinstance(node.arg, nodes.Const | nodes.Slice):
                return home
            if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
                return home.at(node.arg.value)
            return home.each()
        return None

    def of_assign(self, node: nodes.Assign, known: Names) -> None:
        found = self.shape(node.node, known)
        if isinstance(node.target, nodes.Name):
            known[node.target.name] = found if found is not None else Shape()

    def of_filter(self, node: nodes.Filter, known: Names) -> None:
        found = self.shape(node.node, known)
        if node.name == "format" and isinstance(node.node, nodes.Const):
            kind = "number" if _FORMAT_OF_NUMBER.search(str(node.node.value)) else "text"
            self._are(node.args, kind, known)
        elif found is not None and node.name in _OF_NUMBERS:
            found.is_used_as("number")
        elif found is not None and node.name in _OF_LISTS:
            found.each()

    def of_comparison(self, node: nodes.Compare, known: Names) -> None:
        sides = [node.expr, *(operand.expr for operand in node.ops)]
        given = next((side.value for side in sides if isinstance(side, nodes.Const)), None)
        if isinstance(given, bool) or given is None:
            return
        kind = "number" if isinstance(given, int | float) else "text"
        for found in (self.shape(side, known) for side in sides):
            if found is not None and found.element is None:
                found.is_used_as(kind, given)

    def of_arithmetic(self, node: nodes.BinExpr, known: Names) -> None:
        others = [side.value for side in (node.left, node.right) if isinstance(side, nodes.Const)]
        kind = "text" if any(isinstance(value, str) for value in others) else "number"
        self._are([node.left, node.right], kind, known)

    def _are(self, expressions: Iterable[Any], kind: str, known: Names) -> None:
        for found in (self.shape(each, known) for each in expressions):
            if found is not None:
                found.is_used_as(kind)


_LOOKS: Final[dict[type, Callable[[_Reader, Any, Names], None]]] = {
    nodes.Assign: _Reader.of_assign,
    nodes.Filter: _Reader.of_filter,
    nodes.Compare: _Reader.of_comparison,
    **dict.fromkeys(
        (nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow), _Reader.of_arithmetic
    ),
}
