"""What a message says: a variant has content for every channel that delivers, and its templates can be rendered."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from jinja2 import TemplateError, TemplateSyntaxError, meta, nodes
from pydantic import ValidationError

from engine.catalog import foreign_tags, template_words
from engine.catalog.document import Document, by_id
from engine.catalog.plain_words import of_validation
from engine.catalog.problems import Loc, Problem
from engine.catalog.schema import Action
from engine.catalog.schema_channels import CONTENT
from engine.catalog.suggest import did_you_mean
from engine.texts.language import NAMES, TemplateLanguage

_NOTHING_SAID: Final = "is required: this channel delivers, so every variant has something to say on it"
_NOTHING_SHOWN: Final = "is required: this channel is asked for what to show, so every variant has content for it"
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
            for message, _ in _text_faults(value, document, unread):
                yield (key,), message


def _included(node: nodes.Include) -> Iterator[str]:
    """The names that an include writes out: one, or several of which the first is taken that there is."""
    parts = node.template.items if isinstance(node.template, nodes.List | nodes.Tuple) else [node.template]
    yield from (part.value for part in parts if isinstance(part, nodes.Const) and isinstance(part.value, str))


def _is_there(template: str, document: Document, unread: Collection[str]) -> bool:
    return f"templates/{template}" in document or f"templates/{template}" in unread


def _text_faults(text: str, document: Document, unread: Collection[str]) -> Iterator[tuple[str, int]]:
    try:
        tree = _LANGUAGE.parse(text)
        _LANGUAGE.compile(text)  # only this looks up filters and tests
    except TemplateSyntaxError as error:
        words = template_words.plain(error.message or "cannot be parsed", _LANGUAGE.filters)
        yield foreign_tags.mend(text) or (words, error.lineno)
        return
    except (TemplateError, RecursionError, SyntaxError, ValueError, MemoryError) as error:
        yield f"cannot be compiled: {type(error).__name__}", 1
        return
    for line, name in _LANGUAGE.unknown_names(text):
        if right := foreign_tags.dashed(text, name):
            yield f"a name with a dash in it is written {right}", line
            continue
        yield f"{name!r} is not there when a message is rendered; there are {', '.join(sorted(NAMES))}", line
    optional = {name for node in tree.find_all(nodes.Include) if node.ignore_missing for name in _included(node)}
    for other in meta.find_referenced_templates(tree):
        if other in optional:
            continue
        if other is None:
            yield "the name of another template is written out, in quotes: {% include 'footer.html' %}", 1
        elif not _is_there(other, document, unread):
            yield f"no template called {other!r} in templates/", 1
