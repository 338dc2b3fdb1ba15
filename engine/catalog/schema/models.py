"""The shape of `models/*.yaml`: how likely an action is to be taken, by hand or as `segue train` writes it."""

# ruff: noqa: RUF012  pydantic copies a default that can change
from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from engine.catalog.schema.grammar import ActionRef, Condition, Happened, Id, Model, Path, Probability, Some, listed

_Actions = Annotated[list[ActionRef], BeforeValidator(listed, json_schema_input_type=str | list[str])]


def _fits(counts: list[float]) -> list[float]:
    if not 0 <= counts[0] <= counts[1]:
        raise ValueError("is [taken, shown], and no more is taken than shown")
    return counts


class Feature(Model):
    """One number of a customer, exactly one of trait, context, when, count and action; it becomes (number − mean) /
    scale. `most` bounds a count."""

    trait: Path | None = None
    context: Path | None = None
    when: Condition | None = None
    count: Happened | None = None
    action: _Actions | None = None
    coefficient: float = 0.0
    mean: float = 0.0
    scale: Annotated[float, Field(gt=0)] = 1.0
    missing: float = 0.0
    most: Annotated[int, Field(ge=1, le=100)] = 20

    @model_validator(mode="after")
    def _is_one(self) -> Feature:
        ways = (self.trait, self.context, self.when, self.count, self.action)
        if sum(way is not None for way in ways) != 1:
            raise ValueError("exactly one of trait, context, when, count and action")
        if self.count is not None and (self.count.count or self.count.undone_by):
            raise ValueError("a count is of a name, within and where alone")
        return self


class Logistic(Model):
    """A logistic regression; without coefficients it is one that `segue train` is to fit."""

    intercept: float = 0.0
    features: Annotated[list[Feature], Some]


class By(Model):
    """The text that tells contexts apart: a trait, or a value in the context of a decision."""

    trait: Path | None = None
    context: Path | None = None

    @model_validator(mode="after")
    def _is_one(self) -> By:
        if (self.trait is None) == (self.context is None):
            raise ValueError("exactly one of trait and context")
        return self


class Rates(Model):
    """[taken, shown] per action and context, perhaps decayed; `strength` imagined trials pull a rate towards the one
    above it. `half_life_days` is for training: how fast a shown action loses its weight."""

    by: By | None = None
    strength: Annotated[float, Field(gt=0)] = 50.0
    half_life_days: Annotated[float, Field(gt=0)] = 90.0
    table: dict[
        ActionRef,
        dict[str, Annotated[list[float], Field(min_length=2, max_length=2), AfterValidator(_fits)]],
    ] = {}


class Onnx(Model):
    """A model in a file beside this one; `features` are its inputs, in order."""

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*\.onnx$")]
    features: Annotated[list[Feature], Some]


class PropensityModel(Model):
    """models/*.yaml: exactly one of rates, logistic and onnx. `default` counts where the model has no answer; `trained`
    is the report of `segue train`."""

    id: Id
    default: Probability = 0.0
    rates: Rates | None = None
    logistic: Logistic | None = None
    onnx: Onnx | None = None
    trained: dict[str, Any] = {}

    @model_validator(mode="after")
    def _is_one(self) -> PropensityModel:
        if sum(way is not None for way in (self.rates, self.logistic, self.onnx)) != 1:
            raise ValueError("exactly one of rates, logistic and onnx")
        return self
