"""What a long sweep says at its end."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Figure:
    """One number."""

    name: str
    value: float
    unit: str = ""


@dataclass(slots=True)
class Outcome:
    """The figures of a sweep, and what of it was not as it must be: one line for each fault, none where all is well."""

    figures: list[Figure] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
