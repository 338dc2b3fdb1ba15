"""The goods of the synthetic shop, and the countries of its customers. All invented, the same for every seed.

Prices are integers in minor units (cents); they become decimals only where an event is written.
"""

from __future__ import annotations

from dataclasses import dataclass

CURRENCY = "EUR"

_MODELS = ("Alba", "Birka", "Corvo", "Delta", "Elin", "Fjord", "Gaia", "Halma", "Ilex", "Juno", "Kola", "Lume")

# category: (what the things are called, cheapest price, price step from one model to the next)
_SHELVES = {
    "shoes": (("Trainer", "Boot", "Loafer"), 4_990, 1_000),
    "jackets": (("Parka", "Blouson", "Rain Jacket"), 7_990, 1_500),
    "shirts": (("Shirt", "Blouse", "Tee"), 1_490, 450),
    "trousers": (("Chino", "Jeans", "Shorts"), 2_990, 700),
    "bags": (("Backpack", "Tote", "Weekender"), 2_490, 1_100),
    "sports": (("Yoga Mat", "Racket", "Football"), 990, 800),
    "outdoor": (("Tent", "Lamp", "Flask"), 1_290, 1_900),
    "kids": (("Jumper", "Cap", "Dungarees"), 690, 350),
}


@dataclass(frozen=True, slots=True)
class Product:
    """One thing on the shelf."""

    id: str
    name: str
    category: str
    price_minor: int


def _stock() -> tuple[Product, ...]:
    return tuple(
        Product(f"{category}-{number + 1:02d}", f"{model} {nouns[number % len(nouns)]}", category, low + step * number)
        for category, (nouns, low, step) in _SHELVES.items()
        for number, model in enumerate(_MODELS)
    )


PRODUCTS = _stock()
CATEGORIES = tuple(_SHELVES)
SHELF = {category: tuple(p for p in PRODUCTS if p.category == category) for category in CATEGORIES}


@dataclass(frozen=True, slots=True)
class Country:
    """Where a customer lives; `weight` is the relative number of customers there."""

    code: str
    zone: str
    locale: str
    weight: int


COUNTRIES = (
    Country("DE", "Europe/Berlin", "de-DE", 40),
    Country("AT", "Europe/Vienna", "de-AT", 12),
    Country("FR", "Europe/Paris", "fr-FR", 14),
    Country("NL", "Europe/Amsterdam", "nl-NL", 9),
    Country("IT", "Europe/Rome", "it-IT", 9),
    Country("ES", "Europe/Madrid", "es-ES", 7),
    Country("PT", "Europe/Lisbon", "pt-PT", 4),
    Country("FI", "Europe/Helsinki", "fi-FI", 3),
    Country("IE", "Europe/Dublin", "en-IE", 2),
)


def decimal(minor: int) -> float:
    """An amount as Segment's e-commerce events carry it: a JSON number in whole units."""
    return minor / 100
