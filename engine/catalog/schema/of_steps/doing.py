"""What a step may do beside sending: write traits and tags, call another system."""

# ruff: noqa: RUF012  pydantic copies a default that can change
from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

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


def _plain_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as fault:
        raise ValueError(f"is no URL: {fault}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError("should be an http or https URL with a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a secret: put the URL into an environment variable, and name that in url_env")
    if "$event" in url or "{{" in url:
        raise ValueError("is always the same: what changes belongs into the body")
    return url


def _header_name(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a header")
    if name.lower() in _OURS:
        raise ValueError(f"{name} is written by the call itself")
    return name


_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110
_OURS: Final = frozenset(
    (
        "connection",
        "content-length",
        "host",
        "transfer-encoding",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    )
)
_HeaderName = Annotated[str, Field(max_length=200), AfterValidator(_header_name)]
_HeaderValue = Annotated[str, Field(pattern=r"^[\x20-\x7e]*$", max_length=4_000)]


class Webhook(Model):
    """Calls a `url` of another system, with `body` as JSON; texts in it are small templates. Secrets are named by
    environment variable: `url_env`, `headers_env`, and `secret_env`, by which the call is signed."""

    url: Annotated[str, Field(pattern=r"^\S+$", max_length=2_000), AfterValidator(_plain_url)] | None = None
    url_env: Annotated[str, Field(min_length=1)] | None = None
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    headers: Annotated[dict[_HeaderName, _HeaderValue], Field(max_length=20)] = {}
    headers_env: Annotated[dict[_HeaderName, str], Field(max_length=20)] = {}
    secret_env: Annotated[str, Field(min_length=1)] | None = None
    body: dict[str, Any] = {}

    @model_validator(mode="after")
    def _is_one(self) -> Webhook:
        if (self.url is None) == (self.url_env is None):
            raise ValueError("a webhook has either url or url_env")
        return self
