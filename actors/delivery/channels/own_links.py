"""Puts the token that says who follows a link into links of a message (`docs/transitions.md#signed-links`).

Only links by https to hosts that the catalog names as one's own get it: never another host, never the engine's own
pages, and never a page on which people unsubscribe or choose what they get. Everything else of a link stays as it is.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import unquote

from engine.handoffs.links import PARAMETER

# The host must follow at once and end where browsers end it too: `https://shop.example\@other.example` is no such link.
_LINK: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+)(?::(?P<port>\d+))?(?P<path>[/?#][^\s\\]*)?", re.IGNORECASE
)
_IN_TEXT: Final = re.compile(r"(?<![^\s(<\[{])https?://[^\s<>\"'\\]+", re.IGNORECASE)
_TAG_NAME: Final = re.compile(r"<[a-z]+", re.IGNORECASE)
_ATTRIBUTE: Final = re.compile(r"(?P<name>[^\s/>=]+)(?:\s*=\s*(?P<value>\"[^\"]*\"|'[^']*'|[^\s>\"']+))?")
_FRAGMENT: Final = re.compile(r"#")
_FRAGMENT_IN_HTML: Final = re.compile(r"(?<!&)#|&#0*35;|&#x0*23;|&num;", re.IGNORECASE)  # and not that of `&#38;`
_PORTS: Final = {"http": "80", "https": "443"}
_PAGES: Final = ("/u/", "/c/")  # of the engine: where people unsubscribe, and where they confirm an address
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
        """`html` with the token in the `href` of its links; nothing else changes. What follows a tag or a comment that
        never ends is a part of it: the parser is not closed, so it looks for no links there."""
        parser = _Tags()
        parser.feed(html)
        starts = [0, *(match.end() for match in re.finditer("\n", html))]
        parts, done = [], 0
        for line, column, tag in parser.links:
            start = starts[line - 1] + column
            parts += [html[done:start], self._in_tag(tag)]
            done = start + len(tag)
        return "".join([*parts, html[done:]])

    def in_text(self, text: str) -> str:
        """`text` with the token in its links. A full stop or a bracket behind a link does not belong to it."""
        return _IN_TEXT.sub(lambda found: _without_end(found[0], self._signed), text)

    def _in_tag(self, tag: str) -> str:
        """A tag with the token in its first `href`: browsers take no other."""
        name = _TAG_NAME.match(tag)
        for found in _ATTRIBUTE.finditer(tag, name.end() if name else 0):
            if found["name"].lower() == "href":
                value, (start, end) = found["value"], found.span("value")
                return tag if value is None else tag[:start] + self._in_value(value) + tag[end:]
        return tag

    def _in_value(self, value: str) -> str:
        quote = value[0] if value[0] in "\"'" else ""
        bare = value[1:-1] if quote else value
        inner = bare.strip()
        return quote + bare.replace(inner, self._signed_in_html(inner), 1) + quote

    def _signed(self, url: str) -> str:
        return self._with_token(url, _FRAGMENT, "&") if self._is_own(url) else url

    def _signed_in_html(self, url: str) -> str:
        """The same where characters may be written as references."""
        return self._with_token(url, _FRAGMENT_IN_HTML, "&amp;") if self._is_own(unescape(url)) else url

    def _with_token(self, url: str, fragment: re.Pattern[str], joint: str) -> str:
        found = fragment.search(url)
        end = found.start() if found else len(url)
        address, rest = url[:end], url[end:]
        has_query = "?" in (address if joint == "&" else unescape(address))
        separator = "?" if not has_query else "" if address.endswith(("?", "&")) else joint
        return f"{address}{separator}{PARAMETER}={self.token}{rest}"

    def _is_own(self, url: str) -> bool:
        link = _LINK.fullmatch(url)
        if link is None or _KNOWN.search(url):
            return False
        host = link["host"].lower()
        if link["scheme"].lower() == "http" and host not in _HERE:
            return False
        path = _path(link)
        if _NEVER.intersection(path.split("/")) or any(path.startswith(each.lower()) for each in self.but):
            return False
        if self._is_page_of_the_engine(link):
            return False
        return any(host == own or (own[:2] == "*." and host.endswith(own[1:])) for own in self.hosts)

    def _is_page_of_the_engine(self, link: re.Match[str]) -> bool:
        engine = _LINK.fullmatch(self.engine_url)
        if engine is None or _origin(engine) != _origin(link):
            return False
        return any(_path(link).startswith(_path(engine).rstrip("/") + page) for page in _PAGES)


def own_links(message: Mapping[str, Any], engine_url: str) -> OwnLinks | None:
    """The links of a message of `engine.sends.message`; None where none of them is signed."""
    link = message.get("link")
    return OwnLinks(link["token"], tuple(link["hosts"]), tuple(link["but"]), engine_url) if link else None


def _origin(link: re.Match[str]) -> tuple[str, str, str]:
    scheme = link["scheme"].lower()
    return scheme, link["host"].lower(), link["port"] or _PORTS[scheme]


def _path(link: re.Match[str]) -> str:
    """The path as a server may read it: in small letters, without `%75` and `/../`, with a `/` at its end."""
    path = unquote(re.split(r"[?#]", link["path"] or "/", maxsplit=1)[0]).lower()
    normal = posixpath.normpath(path).strip("/")
    return f"/{normal}/" if normal not in ("", ".") else "/"


def _without_end(url: str, signed: Callable[[str], str]) -> str:
    """`signed` of a link that was found in text, and behind it what is of the sentence."""
    end, left = len(url), Counter(url)  # counted once: the text is a customer's, and may be long
    while end and (url[end - 1] in ".,;:!?*_'" or _closes_nothing(url[end - 1], left)):
        end -= 1
        left[url[end]] -= 1
    return signed(url[:end]) + url[end:]


def _closes_nothing(last: str, left: Counter[str]) -> bool:
    opening = _CLOSING.get(last)
    return opening is not None and left[opening] < left[last]


class _Tags(HTMLParser):
    """Where the tags of links stand, as (line, column, tag)."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[tuple[int, int, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        text = self.get_starttag_text()
        if tag in ("a", "area") and text is not None:
            self.links.append((*self.getpos(), text))
