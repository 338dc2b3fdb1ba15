"""Finds tags of other systems that our templates do not understand, and says what to write instead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_TAG: Final = re.compile(r"\{\{(.*?)(?:\}\}|$)|\{%(.*?)(?:%\}|$)", re.DOTALL)
_IF: Final = "{% if … %} … {% endif %}"
# (pattern within a tag, what to say), in the order in which they are looked for. `{0}` is the text found, `{1}` and
# `{2}` are its groups.
_IN_TAG: Final = (
    (r"^[#/^]\s*(\w*)", "{{{{{0}}}}} is another system's: here it is " + _IF.replace("{", "{{").replace("}", "}}")),
    (r"^>\s*(\S+)", "another template is put in by {{% include '{1}.html' %}}"),
    (r"[“”„«»‘’‚]", "the quotes in a tag are \" or ', not {0}"),
    (r"^[-\s]*(?:elseif|elsif|else\s+if)\b", "{0} is written elif"),
    (r"^[-\s]*end\s+(if|for)\b", "{0} is written end{1}"),
    (r"&&", "&& is written and"),
    (r"\|\|", "|| is written or; what to write instead of a value that is missing is default('…')"),
    (r"===", "=== is written =="),
    (r"!==", "!== is written !="),
    (r"!(?!=)", "! is written not"),
    (r"\?", "a choice is written … if … else …"),
    (r"^[-\s]*(?:if|elif)\b[^=]*[^=!<>]=(?!=)", "= is written == where two values are compared"),
)
# Tags of other systems that Jinja takes for plain text, so no syntax error shows them: {traits.x}, *|X|*, ${x} …
_LOOSE: Final = (
    r"(?<![{%#])\{\s*(?:traits|event)\.[\w.]+\s*\}(?!\})",
    r"\*\|[A-Za-z0-9_:.]+\|\*",
    r"\$\{[^}\n]{1,80}\}",
    r"%%\w+%%",
    r"\[\[[^\[\]\n]{1,80}\]\]",
)


def mend(source: str) -> tuple[str, int] | None:
    """The message for a template that cannot be parsed, and the line (from 1); None where it has no foreign tag."""
    for tag in _TAG.finditer(source):
        line = source.count("\n", 0, tag.start()) + 1
        inner = (tag[1] if tag[1] is not None else tag[2]) or ""
        if not tag[0].endswith(("}}", "%}")) or "{{" in inner or "{%" in inner:
            ends = "}}" if tag[0].startswith("{{") else "%}"
            return f"a {tag[0][:2]} is opened here and closed nowhere: {ends} is missing", line
        # Quoted parts are texts, in which ? and && are no operators.
        bare = re.sub(r"\"[^\"]*\"|'[^']*'", "''", inner)
        for pattern, words in _IN_TAG:
            if found := re.search(pattern, bare.strip()):
                return words.format(found[0].strip(" -"), *found.groups()), line
    return None


def dashed(source: str, name: str) -> str:
    """How to write a name with a dash in it, of which the template engine sees only `name`; empty where it is none."""
    found = re.search(rf"\b(traits|event)\.(\w+(?:-\w+)*-{re.escape(name)}(?:-\w+)*)\b", source)
    return f"{found[1]}['{found[2]}']" if found else ""


def unread(source: str) -> Iterator[tuple[str, int]]:
    """Tags that would be sent to everybody as they are, each with its line."""
    plain = re.sub(r"\{#.*?#\}", lambda note: "\n" * note[0].count("\n"), source, flags=re.DOTALL)
    for pattern in _LOOSE:
        for found in re.finditer(pattern, plain):
            yield found[0], plain.count("\n", 0, found.start()) + 1
