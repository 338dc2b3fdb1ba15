"""Checks the content of messages: each variant has content for every channel, and its templates can be rendered."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from jinja2 import TemplateError, TemplateSyntaxError
from pydantic import ValidationError

from engine.catalog.checks import foreign_tags, template_words
from engine.catalog.checks.plain_words import of_validation
from engine.catalog.checks.suggest import did_you_mean
from engine.catalog.document import Document, by_id
from engine.catalog.problems import Loc, Problem
from engine.catalog.schema.channels import CONTENT
from engine.catalog.schema.files import Action
from engine.texts.language import NAMES, TemplateLanguage, facts_of

_NOTHING_SAID: Final = "is required: this channel delivers, so every variant has something to say on it"
_NOTHING_SHOWN: Final = "is required: this channel is asked for what to show, so every variant has content for it"
_LANGUAGE: Final = TemplateLanguage(autoescape=True)
_PLAIN: Final = TemplateLanguage()


def template_problems(document: Document, file: str, unread: Collection[str] = ()) -> Iterator[Problem]:
    """The faults of a template: it must be text that parses, and mention only names that there are at rendering."""
    text = document[file]
    if not isinstance(text, str):
        yield Problem(file, ("template",), "should be a text")
        return
    for message, line in text_faults(text, document, unread, file.removeprefix("templates/")):
        yield Problem(file, ("template",), message, line)


def content_problems(document: Document, file: str, action: Action, unread: Collection[str] = ()) -> Iterator[Problem]:
    """The reasons for which a variant of an action cannot go out on one of its channels."""
    channels = by_id(document, "channels.yaml", "channels")
    is_written = "variants" in action.model_fields_set
    for i, variant in enumerate(action.variants):
        written = variant.model_extra or {}
        for name in written:
            if name not in action.channels:
                near = did_you_mean(name, action.channels)
                yield Problem(file, ("variants", i, name), f"is not one of the action's channels{near}")
        for channel in action.channels:
            provider = channels.get(channel, {}).get("provider")
            for path, message in _channel_faults(provider, written.get(channel), document, unread):
                yield Problem(file, ("variants", i, channel, *path) if is_written else ("variants",), message)


def _channel_faults(
    provider: Any, content: Any, document: Document, unread: Collection[str]
) -> Iterator[tuple[Loc, str]]:
    model = CONTENT.get(provider) if isinstance(provider, str) else None
    if model is None:
        return
    if content is None or content == {}:
        yield (), _NOTHING_SHOWN if provider == "none" else _NOTHING_SAID
        return
    try:
        model.model_validate(content)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            found = of_validation(model, "", content, details)
            yield () if found.loc == ("file",) else found.loc, found.message
    if provider != "none" and isinstance(content, Mapping):
        yield from _delivered_faults(content, document, unread)


def _delivered_faults(
    content: Mapping[str, Any], document: Document, unread: Collection[str]
) -> Iterator[tuple[Loc, str]]:
    """`template` and `text` of an e-mail name files; every other text is a small template itself."""
    for key, value in content.items():
        if key == "template" or (key == "text" and "template" in content):
            if isinstance(value, str) and not _is_there(value, document, unread):
                yield (key,), f"no template called {value!r} in templates/"
        elif isinstance(value, str):
            for message, _ in text_faults(value, document, unread):
                yield (key,), message


def _is_there(template: str, document: Document, unread: Collection[str]) -> bool:
    return f"templates/{template}" in document or f"templates/{template}" in unread


def text_faults(
    text: str, document: Document, unread: Collection[str], name: str | None = None
) -> Iterator[tuple[str, int]]:
    """(message, line) of each fault of a text. `name` is that of a template with a file of its own; such a template is
    HTML, other texts are plain."""
    try:
        known = facts_of(text)
        (_LANGUAGE if name else _PLAIN).compile(text, name)  # only this looks up filters and tests
    except TemplateSyntaxError as error:
        words = template_words.plain(error.message or "cannot be parsed", _LANGUAGE.filters)
        yield foreign_tags.mend(text) or (words, error.lineno)
        return
    except (TemplateError, RecursionError, SyntaxError, ValueError, MemoryError) as error:
        yield f"cannot be compiled: {type(error).__name__}", 1
        return
    for line, unknown in known.unknown:
        if right := foreign_tags.dashed(text, unknown):
            yield f"a name with a dash in it is written {right}", line
            continue
        yield f"{unknown!r} is not there when a message is rendered; there are {', '.join(sorted(NAMES))}", line
    for line, word in known.odd_currencies:
        yield f"{word!r} is no currency: money takes a code of ISO 4217, such as EUR", line
    for other in known.mentioned:
        if other in known.optional:
            continue
        if other is None:
            yield "the name of another template is written out, in quotes: {% include 'footer.html' %}", 1
        elif not _is_there(other, document, unread):
            yield f"no template called {other!r} in templates/", 1
