"""A fault in the configuration: where it is, and what is wrong in words that a marketer understands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import ErrorDetails

Loc = tuple[str | int, ...]

# pydantic's words for what happens most
_MESSAGES: Final = {
    "missing": "is required",
    "extra_forbidden": "is not known here",
    "model_type": "should be a mapping",
    "dict_type": "should be a mapping",
    "list_type": "should be a list",
    "string_type": "should be a text",
    "string_pattern_mismatch": "should match {pattern}",
    "string_too_short": "should not be empty",
    "too_short": "should not be empty",
    "int_type": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_type": "should be a number",
    "bool_type": "should be true or false",
    "literal_error": "should be {expected}",
    "greater_than": "should be more than {gt}",
    "greater_than_equal": "should be at least {ge}",
    "less_than_equal": "should be at most {le}",
    "finite_number": "should be a number",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """`loc` leads from the top of the file to the fault, or is one word for the whole (`file`, `yaml`, `template`).

    `line` is known only to those who have seen the text. A warning keeps nobody from taking the catalog.
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


def of_validation(file: str, data: Any, details: ErrorDetails) -> Problem:
    """One of pydantic's errors on `data`, in our words."""
    known = _MESSAGES.get(details["type"])
    message = known.format(**details.get("ctx", {})) if known else details["msg"].removeprefix("Value error, ")
    return Problem(file, _written(data, details["loc"]), message)


def _written(data: Any, loc: Loc) -> Loc:
    """`loc` without what pydantic puts between: tags of unions, marks of keys, places in a list that is no list."""
    path: list[str | int] = []
    here = data
    for step in loc:
        if isinstance(step, str) and (step.startswith("<") or step == "[key]"):
            continue
        if isinstance(here, Mapping):
            here = here.get(step)
        elif isinstance(here, list) and isinstance(step, int) and step < len(here):
            here = here[step]
        else:
            break
        path.append(step)
    return tuple(path) or ("file",)
