"""Purchases of a customer, line by line, less the lines that were taken back.

A refund that names an order takes back lines of that order alone, whether it comes before or after it: all of them, or
those that its own lines name. Where a line says how many pieces, so many are taken back; 0 is none, and a number below
0 counts as if it were above, because some shops write returned pieces so. A refund that names no order takes back lines
that its own lines name and that were bought before it. Two lines are the same where product, sku and variant are, as
far as both say them. A line of a refund that has none of these means a category. Lines are a list, or an object of
objects, as PHP writes a list with gaps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from math import inf
from typing import Any, Final

from engine.conditions.event_atoms import DETAILS_MAX, EventAtom
from engine.conditions.readable import Readable
from engine.conditions.value_tests import build_where
from engine.profile import Profile
from engine.values import amounts, subjects
from engine.values.absence import is_absent
from engine.values.paths import values_at
from engine.values.subjects import CATEGORY, PRODUCT, name_of

# Raised whenever lines are read at other paths, so that purchases that were kept by the old rules are kept anew.
_RULES: Final = 2
_OF_A_LINE: Final = ("product", "sku", "variant", "category", "discount", "quantity")


@dataclass(frozen=True, slots=True)
class Wording:
    """Where a purchase says what was bought: its event, and dotted paths in it and in its items. `undone_by` is the
    event of a refund, empty where there is none."""

    event: str = "Order Completed"
    items: str = "products"
    order: str = "order_id"
    product: str = "product_id"
    sku: str = "sku"
    variant: str = "variant"
    category: str = "category"
    discount: str = "discount"
    quantity: str = "quantity"
    undone_by: str = "Order Refunded"

    @property
    def atoms(self) -> tuple[EventAtom, ...]:
        """The atoms of purchases and refunds, by which their details are kept when they are not recent any more."""
        of_line = [tuple(getattr(self, name).split(".")) for name in _OF_A_LINE]
        items = tuple(self.items.split("."))
        paths = (tuple(self.order.split(".")), *of_line, *((*items, *path) for path in of_line))
        return tuple(_atom(name, paths) for name in (self.event, self.undone_by) if name)


def _atom(name: str, paths: tuple[tuple[str, ...], ...]) -> EventAtom:
    digest = blake2b(repr(("bought", _RULES, name, paths)).encode(), digest_size=6).hexdigest()
    return EventAtom(name, build_where(None), DETAILS_MAX, digest, None, "", paths)


@dataclass(slots=True)
class Line:
    """One line of a purchase or a refund. `left` is how many pieces are not taken back yet; of a refund's line it is
    how many it takes back, infinite where it does not say."""

    at_ms: int
    order: str
    product: str
    sku: str
    variant: str
    categories: tuple[str, ...]
    is_full_price: bool
    left: float

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the product: its id, its sku."""
        return tuple(name for name in (self.product, self.sku) if name)

    def is_of(self, subject: str, shelves: subjects.Shelves) -> bool:
        """Whether the bought thing lies within a subject."""
        if subject.startswith(PRODUCT):
            return subject.removeprefix(PRODUCT) in self.names
        wide = subject.removeprefix(CATEGORY)
        own = (*self.categories, *(each for name in self.names for each in shelves.get(name, ())))
        return any(subjects.covers(wide, each) for each in own)

    def may_be(self, subject: str, shelves: subjects.Shelves) -> bool:
        """The same; also true where the line names only a category, and the subject lies in it."""
        mine = () if self.names else self.categories
        return self.is_of(subject, shelves) or any(
            subjects.lies_within(subject, f"{CATEGORY}{each}", shelves) for each in mine
        )

    def means(self, line: Line) -> bool:
        """Whether this line of a refund is about a line that was bought."""
        stated = ((self.product, line.product), (self.sku, line.sku), (self.variant, line.variant))
        if any(mine and theirs and mine != theirs for mine, theirs in stated):
            return False
        if self.names:
            return not set(self.names).isdisjoint(line.names)
        return any(subjects.covers(mine, theirs) for mine in self.categories for theirs in line.categories)


@dataclass(frozen=True, slots=True)
class Question:
    """Whether something of a subject was bought lately and not taken back; with `full_price`, without a discount."""

    wording: Wording
    atoms: tuple[EventAtom, ...]
    subject: str
    within: int
    full_price: bool

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Question:
        """From a tree's part: `{name: subject, within, full_price, read}`."""
        wording = Wording(**body["read"])
        return cls(wording, wording.atoms, body["name"], body["within"], body["full_price"])

    def newest_ms(self, view: Readable) -> int | None:
        """When such a thing was bought last; None where there is none that stands."""
        since_ms, shelves = view.now_ms - self.within, view.shelves()
        fitting = [line.at_ms for line in _standing(view, self) if line.at_ms > since_ms and self._fits(line, shelves)]
        return max(fitting, default=None)

    def _fits(self, line: Line, shelves: subjects.Shelves) -> bool:
        if self.full_price:
            return line.is_full_price and line.may_be(self.subject, shelves)
        return line.is_of(self.subject, shelves)


def shelves(profile: Profile, wording: Wording, known: subjects.Shelves) -> dict[str, set[str]]:
    """In which categories products lie: those of `known`, and those that this customer's events name."""
    found = {product: set(categories) for product, categories in known.items()}
    told = [event.properties for event in profile.history]
    told += [detail.properties for atom in wording.atoms for detail in profile.details.get(atom.digest, ())]
    for properties in told:
        for line in (_line(wording, properties, 0, ""), *_lines(wording, properties, 0)):
            if line.categories:
                for name in line.names:
                    found.setdefault(name, set()).update(line.categories)
    return found


def _standing(view: Readable, asked: Question) -> list[Line]:
    """Every bought line of which a piece is left that was not taken back. Worked out once per view."""
    key = f"bought {asked.atoms[0].digest}"
    known: list[Line] | None = view.memo.get(key)
    if known is None:
        known = [line for at_ms, told in _told(view, asked.atoms[0]) for line in _lines(asked.wording, told, at_ms)]
        for atom in asked.atoms[1:] if known else ():
            for at_ms, told in sorted(_told(view, atom), key=lambda refund: refund[0]):
                _take_back(asked.wording, known, told, at_ms)
        known = view.memo[key] = [line for line in known if line.left > 0]
    return known


def _told(view: Readable, atom: EventAtom) -> list[tuple[int, Mapping[str, Any]]]:
    """The purchases, or the refunds, oldest first: the kept details of those that are not recent, then the recent
    ones."""
    older = [(detail.at_ms, detail.properties) for detail in view.profile.details.get(atom.digest, ())]
    return older + [(event.at_ms, event.properties) for event in reversed(view.history.named(atom.name))]


def _take_back(wording: Wording, bought: list[Line], told: Mapping[str, Any], at_ms: int) -> None:
    order, items = _first(told, wording.order), _lines(wording, told, at_ms, is_refund=True)
    # A refund whose items cannot be read takes back nothing; one without any takes back its whole order.
    if order and not items and not any(_items(wording, told)):
        for line in bought:
            line.left = 0 if line.order == order else line.left
    for item in items:
        pieces = item.left if order or not item.left else inf
        for line in bought:
            is_meant = line.order == order if order and line.order else line.at_ms <= at_ms
            if is_meant and item.means(line):
                taken = min(pieces, line.left)
                line.left, pieces = line.left - taken, pieces - taken


def _items(wording: Wording, told: Mapping[str, Any]) -> Iterator[Any]:
    """The items of a purchase, without absent ones. Of an object of rows under their numbers each row is an item."""
    for item in _values(told, wording.items):
        parts = list(item.values()) if isinstance(item, Mapping) else []
        is_rows = bool(parts) and all(isinstance(part, Mapping) for part in parts)
        if is_rows and not _names_something(_line(wording, item, 0, "")):
            yield from (part for part in parts if part)
        else:
            yield item


def _names_something(line: Line) -> bool:
    return bool(line.names or line.categories)


def _lines(wording: Wording, told: Mapping[str, Any], at_ms: int, *, is_refund: bool = False) -> list[Line]:
    """The lines of a purchase or a refund; where it has no items, the event itself, if it names a product."""
    order, items = _first(told, wording.order), list(_items(wording, told))
    if items:
        return [_line(wording, item, at_ms, order, is_refund) for item in items if isinstance(item, Mapping)]
    line = _line(wording, told, at_ms, order, is_refund)
    return [line] if line.names else []


def _line(wording: Wording, item: Mapping[str, Any], at_ms: int, order: str, is_refund: bool = False) -> Line:
    categories = tuple(filter(None, (subjects.category(name_of(each)) for each in _values(item, wording.category))))
    return Line(
        at_ms=at_ms,
        order=order,
        product=_first(item, wording.product),
        sku=_first(item, wording.sku),
        variant=_first(item, wording.variant),
        categories=categories,
        is_full_price=not any(map(_is_reduced, _values(item, wording.discount))),
        left=_pieces(wording, item, is_refund),
    )


def _pieces(wording: Wording, item: Mapping[str, Any], is_refund: bool) -> float:
    """How many pieces a line is about. A bought line is one piece at least; a returned line without a number is all."""
    read = map(amounts.number, _values(item, wording.quantity))
    pieces = next((float(each) for each in read if each is not None), None)
    if is_refund:
        return inf if pieces is None else abs(pieces)
    return pieces if pieces is not None and pieces > 0 else 1.0


def _is_reduced(discount: Any) -> bool:
    """Whether a stated discount makes a price lower: it is not false and not an amount of 0. A word that is no amount
    does."""
    if isinstance(discount, str):
        discount = discount.strip().removesuffix("%")
    return discount is not False and amounts.number(discount) != 0


def _values(data: Mapping[str, Any], path: str) -> Iterator[Any]:
    return (value for value in values_at(data, tuple(path.split("."))) if not is_absent(value))


def _first(data: Mapping[str, Any], path: str) -> str:
    return next(filter(None, map(name_of, _values(data, path))), "")
