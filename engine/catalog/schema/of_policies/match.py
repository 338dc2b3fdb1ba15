"""Which actions a rule of `policies.yaml` is about."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from engine.catalog.schema.grammar import ActionRef, ChannelRef, Model, PurposeRef, Some, listed
from engine.vocabulary import Tier

Tiers = Annotated[list[Tier], BeforeValidator(listed, json_schema_input_type=Tier | list[Tier])]
Names = BeforeValidator(listed, json_schema_input_type=str | list[str])


class Match(Model):
    """The actions that a rule is about: each key is a value or a list of them, an absent one matches everything."""

    channel: Annotated[list[ChannelRef], Some, Names] | None = None
    tier: Annotated[Tiers, Some] | None = None
    action: Annotated[list[ActionRef], Some, Names] | None = None
    purpose: Annotated[list[PurposeRef], Some, Names] | None = None
    category: Annotated[list[str], Some, Names] | None = None
    group: Annotated[list[str], Some, Names] | None = None
