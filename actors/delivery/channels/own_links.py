"""Puts the token that says who follows a link into links of a message (`docs/transitions.md#signed-links`).

Only links by https to hosts that the catalog names as one's own get it: never another host, never the engine's own
pages, and never a page on which people unsubscribe or choose what they get. Everything else of a link stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import unquote

from engine.handoffs.links import PARAMETER

# The host must follow at once and end where browsers end it too: `https://shop.example\@other.example` is no such link.
_LINK: Final = re.compile(r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+)(?::\d+)?(?P<path>[/?#][^\s\\]*)?", re.IGNORECASE)
_IN_TEXT: Final = re.compile(r"(?<![^\s(<\[{])https?://[^\s<>\"'\\]+", re.IGNORECASE)
_HREF: Final = re.compile(r"(\shref\s*=\s*)(\"[^\"]*\"|'[^']*'|[^\s>\"']+)", re.IGNORECASE)
_FRAGMENT: Final = re.compile(r"(?<!&)#")  # not of a character reference, `&#38;`
_KNOWN: Final = re.compile(rf"[?&](amp;)?{PARAMETER}=")
_HERE: Final = ("localhost", "127.0.0.1")  # where http is good enough
_NEVER: Final = frozenset(
    ("unsubscribe", "opt-out", "optout", "opt_out", "preferences", "preference-center", "email-preferences", "confirm")
)
_CLOSING: Final = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True)
class OwnLinks:
    """The token of one message, and the links that may carry it."""

    token: str
    hosts: tuple[str, ...]
    but: tuple[str, ...]
    engine_url: str

    def in_html(self, html: str) -> str:
        """`html` with the token in the `href` of its links; nothing else changes."""
        parser = _Tags()
        parser.feed(html)
        parser.close()
        starts = [0, *(match.end() for match in re.finditer("\n", html))]
        parts, done = [], 0
        for line, column, tag in parser.links:
            start = starts[line - 1] + column
            parts += [html[done:start], _HREF.sub(self._in_attribute, tag, count=1)]
            done = start + len(tag)
        return "".join([*parts, html[done:]])

    def in_text(self, text: str) -> str:
        """`text` with the token in its links. A full stop or a bracket behind a link does not belong to it."""
        return _IN_TEXT.sub(lambda found: _without_end(found[0], self._signed), text)

    def _in_attribute(self, found: re.Match[str]) -> str:
        value = found[2]
        quote = value[0] if value[0] in "\"'" else ""
        bare = value[1:-1] if quote else value
        inner = bare.strip()
        return found[1] + quote + bare.replace(inner, self._signed(inner, "&amp;"), 1) + quote

    def _signed(self, url: str, joint: str = "&") -> str:
        if not self._is_own(url):
            return url
        address, *fragment = _FRAGMENT.split(url, maxsplit=1)
        separator = "?" if "?" not in address else "" if address.endswith(("?", "&")) else joint
        return "#".join([f"{address}{separator}{PARAMETER}={self.token}", *fragment])

    def _is_own(self, url: str) -> bool:
        link = _LINK.fullmatch(url)
        if link is None or _KNOWN.search(url) or url.startswith(self.engine_url.rstrip("/") + "/"):
            return False
        host = link["host"].lower()
        if link["scheme"].lower() == "http" and host not in _HERE:
            return False
        path = unquote(re.split(r"[?#]", link["path"] or "/", maxsplit=1)[0]).lower()
        if _NEVER.intersection(path.split("/")) or any(path.startswith(each.lower()) for each in self.but):
            return False
        return any(host == own or (own[:2] == "*." and host.endswith(own[1:])) for own in self.hosts)


def own_links(message: Mapping[str, Any], engine_url: str) -> OwnLinks | None:
    """The links of a message of `engine.sends.message`; None where none of them is signed."""
    link = message.get("link")
    return OwnLinks(link["token"], tuple(link["hosts"]), tuple(link["but"]), engine_url) if link else None


def _without_end(url: str, signed: Callable[[str], str]) -> str:
    """`signed` of a link that was found in text, and behind it what is of the sentence."""
    end = len(url)
    while end and (url[end - 1] in ".,;:!?*_'" or _closes_nothing(url[:end])):
        end -= 1
    return signed(url[:end]) + url[end:]


def _closes_nothing(url: str) -> bool:
    opening = _CLOSING.get(url[-1])
    return opening is not None and url.count(opening) < url.count(url[-1])


class _Tags(HTMLParser):
    """Where the tags of links stand, as (line, column, tag)."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[tuple[int, int, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        text = self.get_starttag_text()
        if tag in ("a", "area") and text is not None:
            self.links.append((*self.getpos(), text))
