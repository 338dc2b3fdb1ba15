"""The weights by which matching scores: those that the catalog's model has learnt, or first guesses."""

from __future__ import annotations

from typing import Any

import msgspec

from engine.catalog.compiled import Catalog
from engine.matching import model as models
from engine.matching.scoring import Matcher, matcher

FOLDER = "models/"
_POPULATION_MIN = 10_000  # before it is compared, a pair is never as likely as in a village


def ready(catalog: Catalog, population: int) -> Matcher:
    """The catalog's model, made ready for so many profiles. InvalidInput where it cannot be read."""
    population = max(population, _POPULATION_MIN)
    name = catalog.identity.matching.model
    if not name:
        return matcher(models.untrained(population), population)
    document: dict[str, Any] = msgspec.msgpack.decode(catalog.document)
    return matcher(models.read(document[FOLDER + name], f"{FOLDER}{name}"), population)
