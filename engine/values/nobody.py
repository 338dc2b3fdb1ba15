"""Values of identifiers that name nobody: what careless forms, scripts and templates send where they have no value."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

# In every namespace.
NEVER_ANYONE: Final = (
    "",
    "-",
    "-1",
    "0",
    "00000000-0000-0000-0000-000000000000",
    "#n/a",
    "[object null]",
    "[object object]",
    "[object undefined]",
    "\\n",
    "anonymous",
    "false",
    "guest",
    "n/a",
    "NaN",
    "nil",
    "none",
    "not set",
    "null",
    "optional(nil)",
    "true",
    "undefined",
    "unknown",
)

_WRAPPED_IN: Final = " ()<>[]{}\"'`“”‘’"
_PLACEHOLDER: Final = re.compile(r"\{\{.*\}\}|\{%.*%\}|[$#]\{.*\}|<%.*%>|%%.+%%|\*\|.+\|\*")


def is_blocked(value: str, blocked: Collection[str]) -> bool:
    """Whether a canonical value never identifies anyone (`null`, `0`, a tester's address): so does one in brackets or
    quotes (`(null)`, `<nil>`), and one with a placeholder that nobody filled in (`{{user.id}}`).

    `blocked` holds values in `casefold`; case is ignored, because `NULL` and `Null` come from the same careless form.
    """
    if value.casefold() in blocked:
        return True
    if value.isalnum():
        return False
    return value.strip(_WRAPPED_IN).casefold() in blocked or _PLACEHOLDER.search(value) is not None
