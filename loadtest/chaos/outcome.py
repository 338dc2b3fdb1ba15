"""The result of a long run: its figures and its faults."""

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
    """The figures of a sweep, and a line for each fault; none where all is as it must be."""

    figures: list[Figure] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
