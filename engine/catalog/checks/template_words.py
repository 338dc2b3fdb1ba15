"""Says Jinja's complaints about a template in words that its author understands."""

from __future__ import annotations

import re
from collections.abc import Collection

from engine.catalog.checks.suggest import did_you_mean

_TAGS = ("if", "elif", "else", "endif", "for", "endfor", "set", "include", "extends", "block", "endblock", "macro")


def plain(message: str, filters: Collection[str]) -> str:
    """The message of a syntax error; `filters` are those that there are."""
    if found := re.search(r"innermost block that needs to be closed is '(\w+)'", message):
        return f"{{% {found[1]} … %}} is closed nowhere: {{% end{found[1]} %}} is missing"
    if found := re.match(r"Encountered unknown tag '(\w+)'", message):
        if found[1].startswith("end") or found[1] in ("else", "elif"):
            return f"{{% {found[1]} %}} stands where nothing is open that it belongs to"
        return f"there is no {{% {found[1]} %}}{did_you_mean(found[1], _TAGS)}"
    if found := re.match(r"No filter named '(\w+)'", message):
        return f"there is no filter {found[1]!r}{did_you_mean(found[1], filters)}"
    if found := re.match(r"unexpected '([})\]])'", message):
        return f"a {found[1]} is one too many, or one is missing: a value stands in {{{{ }}}}, a rule in {{% %}}"
    if found := re.match(r"expected token 'end of (print statement|statement block)', got '(.+)'", message):
        return f"{found[2]!r} is one word too many: {{{{ }}}} holds one name, with dots and filters"
    if message.startswith(("Expected an expression", "unexpected 'end of")):
        return "something is missing between the brackets"
    return message
