"""The models of consent: statements and their receipts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from engine.values.absence import is_absent
from serve.api.types import ABSENT, PROFILE, TEXT_MAX, Answer, Body, IfAny, Time, ToldTime, example


class ConsentBody(Body):
    """A grant or a withdrawal. `*` stands for every purpose or channel; so does an absent one in a withdrawal."""

    model_config = example(
        identifiers={"user_id": "ada"},
        purpose="marketing",
        channel="email",
        granted=True,
        source="preference centre",
        text="Yes, send me news",
    )

    identifiers: Annotated[dict[str, Any], BeforeValidator(lambda value: {} if is_absent(value) else value)]
    purpose: Annotated[str | None, IfAny] = None
    channel: Annotated[str | None, IfAny] = None
    granted: Any = Field(description="A yes or a no: true, false, and the words that docs/consent.md lists")
    source: str = Field(max_length=255)
    at: ToldTime = None
    text: Annotated[str, BeforeValidator(lambda value: "" if value is None else value)] = Field(
        "", max_length=TEXT_MAX, description="What the person was shown"
    )


class Word(Answer):
    """One statement about consent, and its receipt."""

    purpose: str
    channel: str
    granted: bool
    at: Time
    source: str
    receiptId: str
    text: str
    effective: bool = Field(ABSENT, description="Whether it has effect; where nothing was asked about it, absent")
    key: str = Field(ABSENT, description="Under which key it was stated")
    binds: Literal["address"] = Field(ABSENT, description="There where it is about an address, whoever has it")


class ConsentReceipt(Answer):
    """The statement, with the id to quote, whether it has effect, and each no that stands against it."""

    model_config = example(profileId=PROFILE, receiptId="c-41", granted=True, effective=True, reason="", against=[])

    profileId: str
    receiptId: str
    granted: bool
    effective: bool
    reason: str
    against: list[Word]
