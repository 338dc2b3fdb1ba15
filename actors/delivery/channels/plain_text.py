"""Makes the plain-text body of a mail from its HTML."""

from __future__ import annotations

import re
from typing import Final

from actors.delivery.channels import markup
from actors.delivery.channels.markup import Tag

_CELLS: Final = frozenset(("td", "th"))
_SILENT: Final = frozenset(("style", "script", "title", "template"))
_BLOCKS: Final = re.compile(r"address|article|blockquote|br|div|footer|h[1-6]|header|hr|li|ol|p|section|table|tr|ul")


def plain_text(html: str) -> str:
    """The words of `html`, a line a block, with the address behind each link."""
    words = _Words()
    for token in markup.tokens(html):
        if isinstance(token, str):
            words.hear(token)
        elif token.is_end:
            words.end(token.name)
        else:
            words.start(token)
    lines = (" ".join(line.split()) for line in "".join(words.parts).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


class _Words:
    def __init__(self) -> None:
        self.parts: list[str] = []
        self._silent, self._in_head = 0, False
        self._links: list[str] = []

    def start(self, found: Tag) -> None:
        tag = found.name
        if self._in_head and (tag == "body" or _BLOCKS.fullmatch(tag)):  # HTML lets an author leave out `</head>`
            self._in_head, self._silent = False, 0
        if tag == "head":
            self._in_head = True
        elif tag in _SILENT:
            self._silent += 1
        elif tag in _CELLS:
            self.parts.append(" ")
        elif _BLOCKS.fullmatch(tag):
            self.parts.append("\n- " if tag == "li" else "\n")
        elif tag == "a":
            href = found.first("href")
            self._links.append(markup.unescaped(href.value) if href is not None else "")

    def end(self, tag: str) -> None:
        if tag == "head":
            self._in_head = False
        elif tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif _BLOCKS.fullmatch(tag):
            self.parts.append("\n")
        elif tag == "a" and self._links:
            href = self._links.pop()
            self.parts.append(f" ({href})" if href else "")

    def hear(self, text: str) -> None:
        if not self._silent and not self._in_head:
            self.parts.append(markup.unescaped(text).replace("\n", " "))
