"""What training has learnt, as it stands in a file: how often each level occurs, and how common the common values are.

For each level of a comparison there are two chances: `m` among pairs of one person, `u` among pairs of two. The file
holds no record. Values stand in it only where at least `TERM_RECORDS_MIN` records have them (`smith`, a town): a value
that so many share says nothing about any of them. All rarer ones count alike, with one frequency.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Final

import msgspec

from engine.errors import InvalidInput
from engine.matching.comparisons import COMPARISONS, DIFFERENT, TERMS, Comparison

VERSION: Final = 1
TERM_RECORDS_MIN: Final = 10
TERM_VALUES_MAX: Final = 5_000  # of one column
_SUM_TOLERANCE: Final = 0.01
_PER_RECORD_MAX: Final = 1_000_000
_HOUSEMATES: Final = 0.2
_TWINS: Final = 0.001  # one in forty has a twin; few of these two are both in one table, at one address


class Chances(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often a level occurs among pairs of one person (`m`) and among pairs of two (`u`)."""

    m: float
    u: float


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The share of records with each common value of a column, and the mean share of the `others`."""

    others: float
    values: dict[str, float] = {}

    def share_of(self, value: str) -> float:
        """How often a value occurs, from 0 to 1."""
        return self.values.get(value, self.others)


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A model file. `records`: how many it was trained on. How many others there were for a record on average:
    `matches_per_record` of its person, `housemates_per_record` of people who live in one household with it, and
    `twins_per_record`. They say how likely two records are one person before they are compared."""

    version: int
    records: int
    matches_per_record: float
    housemates_per_record: float
    twins_per_record: float
    comparisons: dict[str, dict[str, Chances]]
    terms: dict[str, Terms] = {}

    def prior(self, population: int = 0) -> float:
        """The chance that two of `population` records are one person, before anything is known of them; 0 stands for as
        many as it was trained on."""
        others = max((population or self.records) - 1, 1)
        return min(max(self.matches_per_record / others, 1e-12), 0.5)


def untrained(records: int = 0, matches_per_record: float = 0.5) -> Model:
    """A model that has learnt nothing: the chances that stand beside the levels, and no value is common."""
    comparisons = {each.name: first_guess(each) for each in COMPARISONS}
    return Model(VERSION, records, matches_per_record, _HOUSEMATES, _TWINS, comparisons)


def first_guess(comparison: Comparison) -> dict[str, Chances]:
    """The chances of a comparison before anything is learnt; `different` has what the levels leave."""
    found = {level.name: Chances(level.m, level.u) for level in comparison.levels}
    m, u = (sum(each) for each in zip(*((level.m, level.u) for level in comparison.levels), strict=True))
    return {**found, DIFFERENT: Chances(1 - m, 1 - u)}


def read(data: bytes, field: str = "") -> Model:
    """The model in a file. InvalidInput says what is wrong with it; its field is `field` and where in the file."""
    try:
        model = msgspec.json.decode(data, type=Model)
    except msgspec.DecodeError as error:
        raise InvalidInput(f"is no model of matching: {error}", field) from None
    _check(model, field)
    return model


def written(model: Model) -> bytes:
    """The bytes of the file, which are the same for the same model."""
    return msgspec.json.format(msgspec.json.encode(model, order="deterministic"), indent=1) + b"\n"


def _check(model: Model, field: str) -> None:
    if model.version != VERSION:
        raise InvalidInput(f"has version {model.version}; this program reads {VERSION}", field)
    if model.records < 0:
        raise InvalidInput("records must be at least 0", field)
    per_record = (model.matches_per_record, model.housemates_per_record, model.twins_per_record)
    for name, number in zip(("matches", "housemates", "twins"), per_record, strict=True):
        if not 0 < number <= _PER_RECORD_MAX:
            raise InvalidInput(f"{name}PerRecord must be above 0 and at most {_PER_RECORD_MAX:,}", field)
    expected = {each.name: set(each.level_names) for each in COMPARISONS}
    _check_names(set(model.comparisons), set(expected), "comparisons", field)
    for name, levels in model.comparisons.items():
        _check_names(set(levels), expected[name], f"comparisons.{name}", field)
        _check_chances(levels, f"comparisons.{name}", field)
    _check_names(set(model.terms), set(TERMS), "terms", field, all_needed=False)
    for name, terms in model.terms.items():
        if not all(0 < share <= 1 for share in (terms.others, *terms.values.values())):
            raise InvalidInput(f"terms.{name}: a share must be above 0 and at most 1", field)


def _check_names(found: set[str], expected: set[str], where: str, field: str, *, all_needed: bool = True) -> None:
    if unknown := sorted(found - expected):
        raise InvalidInput(f"{where} knows no {unknown[0]!r}; there are {', '.join(sorted(expected))}", field)
    if all_needed and (missing := sorted(expected - found)):
        raise InvalidInput(f"{where} lacks {missing[0]!r}", field)


def _check_chances(levels: Mapping[str, Chances], where: str, field: str) -> None:
    for name, chances in levels.items():
        if not (_is_chance(chances.m) and _is_chance(chances.u) and chances.m and chances.u):
            raise InvalidInput(f"{where}.{name}: m and u must be above 0 and at most 1", field)
    for kind in ("m", "u"):
        total = sum(getattr(chances, kind) for chances in levels.values())
        if abs(total - 1) > _SUM_TOLERANCE:
            raise InvalidInput(f"{where}: the chances {kind} of its levels must add up to 1, not {total:.3f}", field)


def _is_chance(number: float) -> bool:
    return isfinite(number) and 0 <= number <= 1
