"""What a message says: a variant has content for every channel that delivers, and its templates can be rendered."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from jinja2 import TemplateError, TemplateSyntaxError, meta

from engine.catalog.document import Document, by_id
from engine.catalog.problems import Loc, Problem
from engine.catalog.schema import Action
from engine.texts.language import NAMES, TemplateLanguage

_EMAIL_FIELDS: Final = {"subject", "template", "text"}
_LANGUAGE: Final = TemplateLanguage(autoescape=True)


def template_problems(document: Document, file: str, unread: Collection[str] = ()) -> Iterator[Problem]:
    """A template is text that parses, and mentions only what there is when it is rendered."""
    text = document[file]
    if not isinstance(text, str):
        yield Problem(file, ("template",), "should be a text")
        return
    for message, line in _text_faults(text, document, unread):
        yield Problem(file, ("template",), message, line)


def content_problems(document: Document, file: str, action: Action, unread: Collection[str] = ()) -> Iterator[Problem]:
    """Whether each variant of an action can go out on each of its channels."""
    channels = by_id(document, "channels.yaml", "channels")
    for i, variant in enumerate(action.variants):
        written = variant.model_extra or {}
        for name in written:
            if name not in action.channels:
                yield Problem(file, ("variants", i, name), "is not one of the action's channels")
        for channel in action.channels:
            provider = channels.get(channel, {}).get("provider")
            loc: Loc = ("variants", i, channel)
            for path, message in _channel_faults(provider, written.get(channel), document, unread):
                yield Problem(file, loc + path, message)


def _channel_faults(
    provider: Any, content: Any, document: Document, unread: Collection[str]
) -> Iterator[tuple[Loc, str]]:
    if provider == "none":
        if content is not None and not (
            _is_full(content) and set(content) == {"content"} and _is_full(*content.values())
        ):
            yield (), "should be {content: {…}}"
    elif provider in ("smtp", "sandbox"):
        if not _is_full(content):
            yield (), "is required: this channel delivers, so every variant has something to say on it"
            return
        if provider == "smtp":
            yield from _email_faults(content)
        yield from _delivered_faults(content, document, unread)


def _is_full(*values: Any) -> bool:
    return all(isinstance(value, Mapping) and bool(value) for value in values)


def _email_faults(content: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
    for key in ("subject", "template"):
        if key not in content:
            yield (key,), "is required"
    for key, value in content.items():
        if key not in _EMAIL_FIELDS:
            yield (key,), "is not known here"
        elif not isinstance(value, str) or not value:
            yield (key,), "should be a text"


def _delivered_faults(
    content: Mapping[str, Any], document: Document, unread: Collection[str]
) -> Iterator[tuple[Loc, str]]:
    """`template` and `text` of an e-mail name files; every other text is a small template itself."""
    for key, value in content.items():
        if key == "template" or (key == "text" and "template" in content):
            if isinstance(value, str) and not _is_there(value, document, unread):
                yield (key,), f"no template called {value!r} in templates/"
        elif isinstance(value, str):
            for message, _ in _text_faults(value, document, unread):
                yield (key,), message


def _is_there(template: str, document: Document, unread: Collection[str]) -> bool:
    return f"templates/{template}" in document or f"templates/{template}" in unread


def _text_faults(text: str, document: Document, unread: Collection[str]) -> Iterator[tuple[str, int]]:
    try:
        tree = _LANGUAGE.parse(text)
        _LANGUAGE.compile(text)  # only this looks up filters and tests
    except TemplateSyntaxError as error:
        yield (error.message or "cannot be parsed"), error.lineno
        return
    except (TemplateError, RecursionError, SyntaxError, ValueError, MemoryError) as error:
        yield f"cannot be compiled: {type(error).__name__}", 1
        return
    for line, name in _LANGUAGE.unknown_names(text):
        yield f"{name!r} is not there when a message is rendered; there are {', '.join(sorted(NAMES))}", line
    for other in meta.find_referenced_templates(tree):
        if other is None or not _is_there(other, document, unread):
            yield f"no template called {other!r} in templates/", 1
