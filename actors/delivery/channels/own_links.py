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
from typing import Any, Final
from urllib.parse import unquote

from actors.delivery.channels import markup
from actors.delivery.channels.markup import Tag
from engine.handoffs.links import PARAMETER

# The host must follow at once and end where browsers end it too: `https://shop.example\@other.example` is no such link.
_LINK: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+)(?::(?P<port>\d+))?(?P<path>[/?#][^\s\\]*)?", re.IGNORECASE
)
_IN_TEXT: Final = re.compile(r"(?<![^\s(<\[{])https?://[^\s<>\"'\\]+", re.IGNORECASE)
_LINKS: Final = ("a", "area")
_FRAGMENT: Final = re.compile(r"#")
_FRAGMENT_IN_HTML: Final = re.compile(r"(?<!&)#|&#0*35;|&#x0*23;|&num;", re.IGNORECASE)  # and not that of `&#38;`
_PORTS: Final = {"http": "80", "https": "443"}
_PAGES: Final = ("/u/", "/c/")  # of the engine: where people unsubscribe, and where they confirm an address
_KNOWN: Final = re.compile(rf"[?&](amp;)?{PARAMETER}=")
_HERE: Final = ("localhost", "127.0.0.1")  # where http is good enough
_NEVER: Final = frozenset(("unsubscribe", "unsubscribed", "unsub", "optout", "preferences", "confirm"))
_OPT_OUT: Final = re.compile(r"opt[^a-z0-9]?out")
_WORD: Final = re.compile(r"[a-z0-9]+")
_TRACKING: Final = re.compile(r"(?<![^?&])utm_[^&#]*")
_UNQUOTED_MAX: Final = 3  # times: a server behind another may read a path once more
_CLOSING: Final = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True)
class OwnLinks:
    """The token of one message, and the links that may carry it."""

    token: str
    hosts: tuple[str, ...]
    but: tuple[str, ...]
    engine_url: str

    def in_html(self, html: str) -> str:
        """`html` with the token in the first `href` of its links; nothing else changes."""
        parts, done = [], 0
        for tag in markup.tokens(html):
            link = tag.first("href") if isinstance(tag, Tag) and not tag.is_end and tag.name in _LINKS else None
            if link is not None:
                parts += [html[done : link.start], self._in_value(html[link.start : link.end])]
                done = link.end
        return "".join([*parts, html[done:]])

    def in_text(self, text: str) -> str:
        """`text` with the token in its links. A full stop or a bracket behind a link does not belong to it."""
        return _IN_TEXT.sub(lambda found: _without_end(found[0], self._signed), text)

    def _in_value(self, value: str) -> str:
        quote = value[0] if value[0] in "\"'" else ""
        bare = value[1:-1] if quote else value
        inner = bare.strip()
        return quote + bare.replace(inner, self._signed_in_html(inner), 1) + quote

    def _signed(self, url: str) -> str:
        return self._with_token(url, _FRAGMENT, "&") if self._is_own(url) else url

    def _signed_in_html(self, url: str) -> str:
        """The same where characters may be written as references."""
        return self._with_token(url, _FRAGMENT_IN_HTML, "&amp;") if self._is_own(markup.unescaped(url)) else url

    def _with_token(self, url: str, fragment: re.Pattern[str], joint: str) -> str:
        found = fragment.search(url)
        end = found.start() if found else len(url)
        address, rest = url[:end], url[end:]
        has_query = "?" in (address if joint == "&" else markup.unescaped(address))
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
        if _is_about_messages(link["path"] or "") or any(path.startswith(each.lower()) for each in self.but):
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
    """The path as a server may read it: in small letters, without `%75`, `/../` and `;x=1`, with a `/` at its end."""
    path = _unquoted(re.split(r"[?#]", link["path"] or "/", maxsplit=1)[0])
    normal = posixpath.normpath("/".join(part.partition(";")[0] for part in path.split("/"))).strip("/")
    return f"/{normal}/" if normal not in ("", ".") else "/"


def _is_about_messages(path: str) -> bool:
    """Whether a path, a query or a fragment names a page on which people choose what they get: `/unsubscribe.html`,
    `/opt-out`, `?page=email_preferences`. A link too many that stays as it is costs little; tracking parameters name
    campaigns, and no pages."""
    words = _OPT_OUT.sub("optout", _unquoted(_TRACKING.sub("", path)))
    return not _NEVER.isdisjoint(_WORD.findall(words))


def _unquoted(path: str) -> str:
    for _ in range(_UNQUOTED_MAX):
        path = unquote(path)
    return path.lower()


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
