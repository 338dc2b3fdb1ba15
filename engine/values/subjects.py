"""The subjects of offers and purchases: products, which lie in categories, which lie within one another.

A subject is `product sku-1` or `category shoes`. Categories are paths: `shoes/running` lies within `shoes`. In which
categories a product lies is known from the actions of the catalog that have both, and from the customer's own events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from engine.values.absence import is_absent

PRODUCT: Final = "product "
CATEGORY: Final = "category "

Shelves = Mapping[str, Iterable[str]]  # in which categories each product lies


def name_of(value: Any) -> str:
    """The text that an id stands for, a number's too; empty where there is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if is_absent(value) or isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).strip()


@lru_cache(maxsize=4_096)
def category(path: str) -> str:
    """The one spelling of a category's path, without blanks around its parts."""
    return "/".join(part for part in map(str.strip, path.split("/")) if part)


def covers(wide: str, narrow: str) -> bool:
    """Whether one category is another, or the other lies within it."""
    wide, narrow = category(wide), category(narrow)
    return bool(wide) and (narrow == wide or narrow.startswith(f"{wide}/"))


def lies_within(subject: str, other: str, shelves: Shelves) -> bool:
    """Whether a subject is another one, or a part of it."""
    if subject == other:
        return True
    if not other.startswith(CATEGORY):
        return False
    wide = other.removeprefix(CATEGORY)
    if subject.startswith(CATEGORY):
        return covers(wide, subject.removeprefix(CATEGORY))
    return any(covers(wide, narrow) for narrow in shelves.get(subject.removeprefix(PRODUCT), ()))


def on_one_path(subject: str, other: str, shelves: Shelves) -> bool:
    """Whether two subjects are about the same thing: one lies within the other."""
    return lies_within(subject, other, shelves) or lies_within(other, subject, shelves)
