"""A fault in the configuration: where it is, and what is wrong in words that a marketer understands."""

from __future__ import annotations

from dataclasses import dataclass

Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """`loc` leads from the top of the file to the fault, or is one word for the whole (`file`, `yaml`, `template`).

    `line` is known only where the text itself was read. A warning keeps nobody from taking the catalog.
    """

    file: str
    loc: Loc
    message: str
    line: int = 0
    is_warning: bool = False

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {spelled(self.loc)}: {self.message}"


def spelled(loc: Loc) -> str:
    """A place as people count: `steps[2].send.action` is in the second step."""
    return "".join(f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in loc).removeprefix(".")
