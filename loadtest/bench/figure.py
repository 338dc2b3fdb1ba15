"""One figure of a benchmark, with its baseline."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement with its baseline. `target` is its budget, empty where it has none."""

    name: str
    value: float
    unit: str
    baseline: str
    baseline_value: float
    baseline_unit: str = ""  # empty: the same
    target: str = ""

    @property
    def ratio(self) -> float | None:
        """The figure by its baseline; None where that is zero."""
        return self.value / self.baseline_value if self.baseline_value else None
