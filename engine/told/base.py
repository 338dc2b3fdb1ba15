"""What all inputs have in common."""

from __future__ import annotations

import msgspec

from engine.profile import Drawn


class Input(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The common ancestor; every kind has a tag of its own.

    `tokens` are those that the shard has left of each scarce budget when the turn begins. They stand in the input, so
    that a replay of the journal decides as the turn did. `drawn` are the draws of a stranger before this input, the
    first that may make a profile of them or end them."""

    tokens: dict[str, int] = {}
    drawn: dict[str, Drawn] = {}
