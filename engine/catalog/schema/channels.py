"""The models of each provider: the settings of its channels, and the content of a message on one.

An adapter (`actors/delivery/channels`) reads nothing else, so a key that does not stand here would do nothing, and is
refused by name. A new adapter begins with its two models here.
"""

# ruff: noqa: RUF012  pydantic copies a default that can change
from __future__ import annotations

from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from engine.catalog.schema.grammar import Id, Model, NamespaceRef, Span
from engine.vocabulary import DAY_MS

_RETRY_FOR_MS_MAX: Final = 30 * DAY_MS


def _not_for_ever(duration_ms: int) -> int:
    if duration_ms > _RETRY_FOR_MS_MAX:
        raise ValueError("a message is tried for at most 30 days")
    return duration_ms


_RetrySpan = Annotated[Span, AfterValidator(_not_for_ever)]
_Words = Annotated[str, Field(min_length=1)]
Provider = Literal["smtp", "sandbox", "none"]


# Settings


class AnyChannel(Model):
    """A way to reach a person. A message that was surely not taken is tried again for `retry_for` after its
    decision. `cost` is what one message costs, in the workspace's currency."""

    id: Id
    provider: Provider
    address: NamespaceRef | None = None
    retry_for: _RetrySpan = DAY_MS
    cost: Annotated[float, Field(ge=0)] = 0.0


class AskedChannel(AnyChannel):
    """Is asked for what to show (a web page), never sent to."""

    provider: Literal["none"]


class SandboxChannel(AnyChannel):
    """Takes everything, and only writes it down."""

    provider: Literal["sandbox"]


class SmtpChannel(AnyChannel):
    """A host, a port, a sender or a credential may be named by environment variable (`…_env`), which wins over the
    value beside it."""

    provider: Literal["smtp"]
    host: str | None = None
    host_env: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    port_env: str | None = None
    sender: str | None = None
    sender_env: str | None = None
    helo: str | None = None
    helo_env: str | None = None
    username_env: str | None = None
    password_env: str | None = None
    tls: Literal["none", "starttls", "implicit"] | None = None
    timeout_s: Annotated[float, Field(gt=0, le=600)] | None = None

    @model_validator(mode="after")
    def _can_send(self) -> SmtpChannel:
        if not (self.address and (self.host or self.host_env) and (self.sender or self.sender_env)):
            raise ValueError("an smtp channel needs address, host and sender")
        return self


class UnknownChannel(AnyChannel):
    """A channel whose provider does not exist."""

    model_config = ConfigDict(json_schema_extra={"not": {}})


def _provider_of(value: Any) -> str:
    provider = value.get("provider") if isinstance(value, dict) else getattr(value, "provider", None)
    return f"<{provider}>" if provider in get_args(Provider) else "<any>"


Channel = Annotated[
    Annotated[SmtpChannel, Tag("<smtp>")]
    | Annotated[SandboxChannel, Tag("<sandbox>")]
    | Annotated[AskedChannel, Tag("<none>")]
    | Annotated[UnknownChannel, Tag("<any>")],
    Discriminator(_provider_of),
]


class Channels(Model):
    """channels.yaml"""

    channels: list[Channel] = []


# Content


class Shown(Model):
    """The content for a front end, which knows the fields in `content`, whatever they are."""

    content: Annotated[dict[str, Any], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _is_under_content(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "content" not in value:
            raise ValueError("should be {content: {…}}")
        return value


class Mail(Model):
    """`template` and `text` name files in `templates/`."""

    subject: _Words
    template: _Words
    text: _Words | None = None


class Noted(Model):
    """A text (`text`), a push (`title`, `body`, perhaps `link` and `image`), an e-mail as in `Mail`, or content for a
    page as in `Shown`: a sandbox stands in for any provider of a later day."""

    text: _Words | None = None
    title: _Words | None = None
    body: _Words | None = None
    link: _Words | None = None
    image: _Words | None = None
    subject: _Words | None = None
    template: _Words | None = None
    content: Annotated[dict[str, Any] | None, Field(min_length=1)] = None

    @model_validator(mode="after")
    def _says_something(self) -> Noted:
        if not (self.text or self.title or self.body or self.template or self.content):
            raise ValueError("says nothing: text, title, body, template or content is required")
        if self.template and not self.subject:
            raise ValueError("subject is required beside template")
        return self


CONTENT: Final[dict[str, type[Model]]] = {"smtp": Mail, "sandbox": Noted, "none": Shown}
