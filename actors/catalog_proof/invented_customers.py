"""Invented customers, to prove a catalog with: one of whom nothing is known, one typical customer, and several whose
values no author expects.

They have the traits and events that the catalog itself names. The use of a name in a template tells the kind of its
value: a list, a number, a text. Conditions and the tracking plan tell more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_LONG: Final = "Lorem ipsum dolor sit amet " * 75
_ODD: Final = "<b onload='x'>Ölaf & \"Co\"</b> {{ 7 * 7 }} 😀 \u202eשלום\u202c\r\nBcc: eve@example.com\x00"
_ODD_TEXTS: Final = "texts hold HTML, emoji and Hebrew"
_NUMBERS: Final = frozenset(
    (
        *("age", "amount", "count", "discount", "number", "points", "price", "quantity", "revenue", "score"),
        *("shipping", "size", "subtotal", "tax", "total", "value"),
    )
)
_EXAMPLES: Final = {
    "country": "DE",
    "currency": "EUR",
    "email": "ada@shop.example",
    "image": "https://shop.example/1.jpg",
    "language": "en",
    "link": "https://shop.example/1",
    "name": "Ada",
    "phone": "+4915112345678",
    "url": "https://shop.example/1",
}


@dataclass(slots=True)
class Shape:
    """The shape of a name's value: fields, the elements of a list, or a plain value, perhaps with an example. Where
    `kind` is empty, nothing is known about it."""

    kind: str = ""  # list, mapping, number, text, flag
    fields: dict[str, Shape] = field(default_factory=dict)
    element: Shape | None = None
    example: Any = None

    def at(self, name: str) -> Shape:
        """The shape of a field."""
        home = self.element if self.element is not None else self
        if not home.kind:
            home.kind = "mapping"
        return home.fields.setdefault(name, Shape())

    def each(self) -> Shape:
        """The shape of an element: this is a list. Fields that were found before are those of its elements."""
        if self.element is None:
            self.element = Shape("mapping" if self.fields else "", self.fields)
            self.fields, self.kind = {}, "list"
        return self.element

    def is_used_as(self, kind: str, example: Any = None) -> None:
        """Learn the kind of the value from a use. The first use decides."""
        self.kind = self.kind or kind
        self.example = example if self.example is None else self.example


@dataclass(frozen=True, slots=True)
class Customer:
    """`words` describes the customer within a sentence; `traits` and `event` are what templates see. For one that
    `is_telling` the message is also built as its provider gets it, which costs the most. One that `is_usual` is like
    most real customers."""

    words: str
    traits: Mapping[str, Any]
    event: Mapping[str, Any]
    language: str = "en"
    is_telling: bool = False
    is_usual: bool = False


def customers(traits: Shape, event: Shape) -> Iterator[Customer]:
    """The customers for each of whom it must be possible to write a message."""
    yield Customer("a customer of whom nothing is known", {}, {}, is_usual=True)
    yield Customer("a typical customer", _typical("traits", traits), _typical("event", event), "en", True, True)
    for words, odd in _HOSTILE.items():
        made = [{name: odd(name, inner) for name, inner in shape.fields.items()} for shape in (traits, event)]
        yield Customer(f"a hostile customer ({words})", made[0], made[1], "xx-" + "9" * 30, words == _ODD_TEXTS)


def _typical(name: str, shape: Shape) -> Any:
    if shape.element is not None:
        return [_typical(name.removesuffix("s"), shape.element) for _ in range(2)]
    if shape.fields or shape.kind == "mapping":
        return {inner: _typical(inner, each) for inner, each in shape.fields.items()}
    if shape.example is not None:
        return shape.example
    if shape.kind == "flag":
        return True
    words = name.lower().replace("-", "_").split("_")
    if shape.kind == "number" or (not shape.kind and words[-1] in _NUMBERS):
        return 2 if words[-1] in ("count", "number", "quantity") else 19.9
    if words[-1] in ("at", "date", "day", "time", "until"):
        return "2026-03-02T10:00:00Z"
    return next((example for word, example in _EXAMPLES.items() if word in words), "something")


def _none(name: str, shape: Shape) -> Any:
    return None


def _lists(name: str, shape: Shape) -> Any:
    return [None, "x", 3, [], {}, _typical(name, shape.element or shape)]


def _mappings(name: str, shape: Shape) -> Any:
    return {"a": {"b": 1}, "name": None}


def _inside(leaf: Callable[[str, Shape], Any]) -> Callable[[str, Shape], Any]:
    """The expected lists and fields, with an odd value in the place of each plain one."""

    def made(name: str, shape: Shape) -> Any:
        if shape.element is not None:
            return [made(name, shape.element) for _ in range(3)]
        if shape.fields:
            return {inner: made(inner, each) for inner, each in shape.fields.items()}
        return leaf(name, shape)

    return made


def _swapped(name: str, shape: Shape) -> Any:
    return "19.90" if isinstance(_typical(name, shape), int | float) else -0.5


_HOSTILE: Final[dict[str, Callable[[str, Shape], Any]]] = {
    "every value is null": _none,
    "values are null inside": _inside(_none),
    "texts are very long": _inside(lambda name, shape: _LONG),
    _ODD_TEXTS: _inside(lambda name, shape: _ODD),
    "numbers come as texts, and texts as numbers": _inside(_swapped),
    "texts where more is expected": lambda name, shape: "19.90",
    "lists of odd things everywhere": _lists,
    "mappings everywhere": _mappings,
}
