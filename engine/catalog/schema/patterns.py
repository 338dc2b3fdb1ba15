"""Regular expressions in the configuration: whole values, whatever their case.

They run in Rust's engine, which is in pydantic already: its time grows with the length of the text and no further, so
no pattern can stop the engine. It knows neither look-arounds nor references back.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from pydantic_core import SchemaError, SchemaValidator, core_schema

_ANYTHING: Final = (
    "7", "ada", "u-4711", "Ada Lovelace", "ada@example.com", "+491711234567", "4000123412341234",
    "0193af3e-7c1d-7aa0-9f3e-2b1c4d5e6f70", "иван", "花子", "~!?",
)  # fmt: skip


@dataclass(frozen=True)
class Pattern:
    """A regular expression; ValueError with its fault where `written` is none."""

    written: str

    def __post_init__(self) -> None:
        _compiled(self.written)  # alone first, so that no bracket of it closes the group below
        _ = self._whole

    @cached_property
    def _whole(self) -> SchemaValidator:
        return _compiled(f"(?i)^(?:{self.written})$")

    def matches(self, text: str) -> bool:
        """Whether the whole of `text` matches."""
        return self._whole.isinstance_python(text)

    @property
    def takes_anything(self) -> bool:
        """Whether it matches values that have nothing in common."""
        return all(map(self.matches, _ANYTHING))


def _compiled(written: str) -> SchemaValidator:
    try:
        return SchemaValidator(core_schema.str_schema(pattern=written, regex_engine="rust-regex"))
    except SchemaError as fault:
        lines = [line.strip() for line in str(fault).splitlines() if line.strip()]
        said = next((line.removeprefix("error: ") for line in lines if line.startswith("error: ")), lines[-1])
        raise ValueError(f"is no regular expression: {said}") from None
