"""The reserved names of what happens and is no event of the customer's."""

from __future__ import annotations

from typing import Final

PREFIX: Final = "segue:"
THING: Final = "segue:thing"
