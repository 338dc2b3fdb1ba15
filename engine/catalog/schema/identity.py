"""The shape of identity.yaml: who is who, by which identifiers, and how sure one has to be."""

# ruff: noqa: RUF012  pydantic copies a default that can change
from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from engine.catalog.schema.grammar import Id, Model, NamespaceRef, Path, Probability, Some, Span
from engine.catalog.schema.patterns import Pattern

Kind = Literal["person", "contact", "device", "shared"]
Spelling = Literal["plain", "lower", "upper", "digits", "email", "phone"]
Winner = Literal["newest", "oldest", "union", "max", "min"]


def _blocked_text(value: Any) -> Any:
    """A blocked value as clients send it: `null`, `0` and `-1` are written bare in YAML."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool | int) else value


def _pattern(value: str) -> str:
    Pattern(value)
    return value


_Pattern = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_pattern)]


class Limit(Model):
    """At most `count` values of a namespace may come to one profile `within` a time; absent: ever."""

    count: Annotated[int, Field(ge=1, le=200)]
    within: Span | None = None


class Namespace(Model):
    """One kind of identifier. What is absent is as the namespace has it by itself.

    `kind`: `person` (one person's own: a user id, a card), `contact` (an address), `device`, or `shared`: it never
    joins anybody. `canonical`: how it is spelled. `priority`: the lowest number is the home of an event and stays in a
    merge (built-in ones have 10 to 60). `unique`: a person has one value. `limit`: how many values one profile takes.
    `shared_above`: a value that more profiles have is shared. `paths`: where events carry it, beside the usual places.
    `blocked`, `blocked_patterns`: values, and regular expressions of whole values, that never identify anyone, beside
    the built-in ones (`null`, `0`, `anonymous` …).
    """

    kind: Kind | None = None
    canonical: Spelling | None = None
    priority: Annotated[int, Field(ge=1, le=1000)] | None = None
    unique: bool | None = None
    limit: Limit | None = None
    shared_above: Annotated[int, Field(ge=1, le=1000)] | None = None
    paths: Annotated[list[Path], Field(max_length=20)] = []
    blocked: list[Annotated[str, BeforeValidator(_blocked_text, json_schema_input_type=str | int | None)]] = []
    blocked_patterns: Annotated[list[_Pattern], Field(max_length=10)] = []


class TraitRule(Model):
    """Which value of a trait stays where there are two. `sources` come first, in their order; then `keep` decides."""

    keep: Winner = "newest"
    sources: list[str] = []


class Splits(Model):
    """What happens where a joined person turns out to be two: `offer` puts it into the review queue, `split` undoes the
    merge. `unidentified`: the side that gets what carried no identifier."""

    on_unique: Literal["offer", "split"] = "offer"
    on_shared: Literal["offer", "split"] = "offer"
    unidentified: Literal["survivor", "other", "both"] = "survivor"


class Personalise(Model):
    """What decisions may read of a profile that is probably the same person, and for how long."""

    at: Probability = 0.9
    traits: list[Path] = []
    segments: bool = True
    for_: Span = Field(default=30 * 86_400_000, alias="for")


class Matching(Model):
    """Profiles that no identifier joins. A link of at least `merge_at` merges, of at least `personalise.at` lends
    context, of at least `review_at` is a question for the review queue. `fields`: which traits feed which comparison.
    """

    enabled: bool = False
    model: Annotated[str, Some] | None = None
    merge_at: Probability = 0.999
    personalise: Personalise = Personalise()
    review_at: Probability = 0.5
    fields: dict[Id, list[Path]] = {}


class HandOffGoal(Model):
    """How fast the context has to be there when a customer goes from one touchpoint to another."""

    from_: Annotated[list[Id], Some] = Field(alias="from")
    into: Annotated[list[Id], Some]
    ready_within: Span
    carries: list[Literal["cart", "journeys", "consent", "caps", "history", "traits"]] = []


class Identity(Model):
    """identity.yaml"""

    namespaces: Annotated[dict[Id, Namespace], Field(max_length=40)] = {}
    priority: list[NamespaceRef] = []
    traits: dict[Path, TraitRule] = {}
    splits: Splits = Splits()
    matching: Matching = Matching()
    transitions: dict[Id, HandOffGoal] = {}
