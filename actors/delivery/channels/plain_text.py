"""Makes the plain-text body of a mail from its HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

_CELLS: Final = frozenset(("td", "th"))
_SILENT: Final = frozenset(("style", "script", "title", "template"))
_BLOCKS: Final = re.compile(r"address|article|blockquote|br|div|footer|h[1-6]|header|hr|li|ol|p|section|table|tr|ul")


def plain_text(html: str) -> str:
    """The words of `html`, a line a block, with the address behind each link."""
    parser = _Words()
    parser.feed(html)
    parser.close()
    lines = (" ".join(line.split()) for line in "".join(parser.parts).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._silent, self._in_head = 0, False
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
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
            self._links.append(dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "head":
            self._in_head = False
        elif tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif _BLOCKS.fullmatch(tag):
            self.parts.append("\n")
        elif tag == "a" and self._links:
            href = self._links.pop()
            self.parts.append(f" ({href})" if href else "")

    def handle_data(self, data: str) -> None:
        if not self._silent and not self._in_head:
            self.parts.append(data.replace("\n", " "))
