"""Cuts HTML into tags and text in one pass, as browsers do. Whatever an operator or a template wrote, this takes a time
in proportion to its length and raises nothing, which `html.parser` does not promise.

What never ends (a tag, a comment, a script) ends with the document, and nothing in it is a tag or text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_BEGUN: Final = re.compile(r"<(?:(?P<tag>/?[a-zA-Z])|[!?]|/.)", re.DOTALL)
_NAME: Final = re.compile(r"[^\s/>]+")
_BETWEEN: Final = re.compile(r"[\s/]*")
_SPACE: Final = re.compile(r"\s*")
_ATTRIBUTE_NAME: Final = re.compile(r"=?[^\s/>=]*")
_BARE_VALUE: Final = re.compile(r"[^\s>]*")
_COMMENT_END: Final = re.compile(r"--!?>")
_RAW: Final = ("script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes")  # no tag begins in these
_RAW_END: Final = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in _RAW}
_NUMBER: Final = re.compile(r"&#0*([0-9]+)")
_DIGITS_MAX: Final = 7  # of a character's number; `int` refuses very many


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute as it is written: `value` is without its quotes, and stands at `start` to `end` with them."""

    name: str
    value: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag with its name in small letters."""

    name: str
    is_end: bool
    attributes: tuple[Attribute, ...]

    def first(self, name: str) -> Attribute | None:
        """The first attribute of a name: browsers take no other. None where it has no value."""
        found = next((each for each in self.attributes if each.name == name), None)
        return found if found is not None and found.end > found.start else None


def tokens(text: str) -> Iterator[Tag | str]:
    """The tags, and the text between them as it is written."""
    at = done = 0
    while (at := text.find("<", at)) >= 0:
        if not (begun := _BEGUN.match(text, at)):
            at += 1
            continue
        if at > done:
            yield text[done:at]
        tag, at = _tag(text, at) if begun["tag"] else (None, _after_comment(text, at))
        if tag is not None:
            yield tag
        done = at
        if tag is not None and not tag.is_end and tag.name in _RAW_END:
            end = _RAW_END[tag.name].search(text, at)
            at = end.start() if end else len(text)
            if end and at > done:
                yield text[done:at]
            done = at
    if done < len(text):
        yield text[done:]


def unescaped(text: str) -> str:
    """Text with its character references read. One with a number larger than any character's is a �."""
    return html.unescape(_NUMBER.sub(_bounded, text)) if "&" in text else text


def _bounded(found: re.Match[str]) -> str:
    return f"&#{found[1][: _DIGITS_MAX + 1]}"


def _after_comment(text: str, at: int) -> int:
    """Behind a comment, or behind what is read as one: `<!…>`, `<?…>`, `</ …>`."""
    if text.startswith("<!--", at):
        if text.startswith((">", "->"), at + 4):
            return text.index(">", at) + 1
        found = _COMMENT_END.search(text, at + 4)
        return found.end() if found else len(text)
    end = text.find(">", at)
    return end + 1 if end >= 0 else len(text)


def _tag(text: str, at: int) -> tuple[Tag | None, int]:
    """The tag that begins here, and where it ends; None where it never does."""
    is_end = text[at + 1] == "/"
    name = _NAME.match(text, at + 1 + is_end)
    assert name is not None, "a tag begins with a letter"
    found: list[Attribute] = []
    at = name.end()
    while True:
        at = _end(_BETWEEN, text, at)
        if at >= len(text):
            return None, at
        if text[at] == ">":
            return Tag(name[0].lower(), is_end, tuple(found)), at + 1
        attribute, at = _attribute(text, at)
        if attribute is None:
            return None, at
        found.append(attribute)


def _attribute(text: str, at: int) -> tuple[Attribute | None, int]:
    end = _end(_ATTRIBUTE_NAME, text, at)
    name, equals = text[at:end].lower(), _end(_SPACE, text, end)
    if not text.startswith("=", equals):
        return Attribute(name, "", end, end), end
    start = _end(_SPACE, text, equals + 1)
    quote = text[start : start + 1]
    if quote and quote in "'\"":
        end = text.find(quote, start + 1)
        if end < 0:
            return None, len(text)
        return Attribute(name, text[start + 1 : end], start, end + 1), end + 1
    end = _end(_BARE_VALUE, text, start)
    return Attribute(name, text[start:end], start, end), end


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    assert found is not None, "it matches nothing too"
    return found.end()
