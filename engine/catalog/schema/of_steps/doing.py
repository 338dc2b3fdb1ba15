"""What a step may do beside sending: write traits and tags, call another system."""

# ruff: noqa: RUF012  pydantic copies a default that can change
from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from engine.catalog.schema.grammar import Model
from engine.catalog.schema.operands import Members, Scalar
from engine.vocabulary import NAMESPACES


def _own_trait(name: str) -> str:
    if name in NAMESPACES:
        raise ValueError(f"{name} says who somebody is, which no journey may change")
    return name


_TraitName = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_own_trait)]
_Tag = Annotated[str, Field(min_length=1, max_length=100)]


class Tags(Model):
    """Words in the trait `tags`, a list."""

    add: Annotated[list[_Tag], Field(max_length=50)] = []
    remove: Annotated[list[_Tag], Field(max_length=50)] = []


class Update(Model):
    """Writes `traits` (null takes one away; `$event.x` is a fact of the trigger) and `tags`."""

    traits: Annotated[dict[_TraitName, Members | Scalar | None], Field(max_length=50)] = {}
    tags: Tags = Tags()

    @model_validator(mode="after")
    def _says_something(self) -> Update:
        if not (self.traits or self.tags.add or self.tags.remove):
            raise ValueError("should say traits or tags")
        if "tags" in self.traits and (self.tags.add or self.tags.remove):
            raise ValueError("writes the trait tags twice: under traits, and under tags")
        return self


class Webhook(Model):
    """Calls a `url` of another system, with `body` as JSON; texts in it are small templates. Secrets are named by
    environment variable: `url_env`, `headers_env`, and `secret_env`, by which the call is signed."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s/]+\S*$", max_length=2_000)] | None = None
    url_env: Annotated[str, Field(min_length=1)] | None = None
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    headers: Annotated[dict[str, str], Field(max_length=20)] = {}
    headers_env: Annotated[dict[str, str], Field(max_length=20)] = {}
    secret_env: Annotated[str, Field(min_length=1)] | None = None
    body: dict[str, Any] = {}

    @model_validator(mode="after")
    def _is_one(self) -> Webhook:
        if (self.url is None) == (self.url_env is None):
            raise ValueError("a webhook has either url or url_env")
        return self
