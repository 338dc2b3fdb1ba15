"""Merges a file of a playbook into the workspace's file of that name. What the workspace says stays, with its comments;
what it does not say is added. Each thing that is said twice, and differently, is a note.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.util import load_yaml_guess_indent

_RULES: Final = "policies.yaml"
_PLAN: Final = "tracking_plan.yaml"
_WIDTH: Final = 4096  # lines of the workspace stay as long as they are
_UNION: Final = ("events", "sensitive", "channels", "no_consent_needed")  # lists of names
_ENTRIES: Final = ("transitions", "namespaces", "traits", "purposes", "segments", "sources", "events")  # by their names


class Merged:
    """A file of the workspace as it becomes. `text` is empty where nothing changes."""

    def __init__(self, file: str, was: str, playbook: CommentedMap, name: str) -> None:
        self.file, self.notes, self._name = file, list[str](), name
        self._changed = False
        self._new: list[str] = []
        yaml, tree = reader(was)
        tree = CommentedMap() if tree is None else tree
        for key, value in playbook.items():
            self._put(tree, key, value)
        self.text = self._spaced(written(yaml, tree)) if self._changed else ""

    def _put(self, tree: CommentedMap, key: str, value: Any) -> None:
        """Put one key of the playbook's file."""
        mine = tree.get(key)
        if mine is None:
            tree[key] = value
            self._changed = True
            self._new.append(key)
        elif isinstance(value, CommentedSeq) and isinstance(mine, CommentedSeq):
            if key in _UNION and all(isinstance(each, str) for each in value):
                self._union(mine, value)
            else:
                self._by_id(mine, value, key)
        elif isinstance(value, Mapping) and isinstance(mine, CommentedMap) and key in _ENTRIES:
            self._entries(mine, value, key)
        elif mine != value:
            self.notes.append(f"{self.file}: {key}: yours stays as it is")

    def _union(self, mine: CommentedSeq, theirs: CommentedSeq) -> None:
        for name in theirs:
            if name not in mine:
                mine.append(name)
                self._changed = True

    def _by_id(self, mine: CommentedSeq, theirs: CommentedSeq, key: str) -> None:
        known = {each.get("id"): each for each in mine if isinstance(each, Mapping)}
        for each in theirs:
            if any(_means_the_same(other, each, self.file) for other in known.values()):
                continue
            if each["id"] in known and self.file != _RULES:
                self.notes.append(f"{self.file}: {key}: {each['id']}: yours stays as it is")
                continue
            if each["id"] in known:  # a rule of the playbook that would be missing: both hold
                each["id"] = f"{self._name}_{each['id']}"
                self.notes.append(
                    f"{self.file}: {key}: {each['id']}: named so, because you have another rule of its name"
                )
            self._open(mine)
            mine.append(each)
            self._changed = True

    def _entries(self, mine: CommentedMap, theirs: Mapping[str, Any], key: str) -> None:
        for name, value in theirs.items():
            if key == "transitions" and any(_is_way_of(known, value) for known in mine.values()):
                continue
            if name not in mine:
                self._open(mine)
                mine[name] = value
                self._changed = True
            elif key == "purposes":
                for part, word in value.items():
                    self._put(mine[name], part, word)
            elif self.file == _PLAN:
                self._properties(mine[name], value)
            elif _plain(mine[name]) != _plain(value):
                self.notes.append(f"{self.file}: {key}: {name}: yours stays as it is")

    def _properties(self, mine: Any, theirs: Mapping[str, Any]) -> None:
        """An event that is planned already has the properties beside its own that the playbook reads."""
        listed = mine.get("schema", {}).get("properties") if isinstance(mine, Mapping) else None
        for name, schema in theirs.get("schema", {}).get("properties", {}).items():
            if isinstance(listed, CommentedMap) and name not in listed:
                listed[name] = schema
                self._changed = True

    def _spaced(self, text: str) -> str:
        """A blank line before each part of the file that is new."""
        for key in self._new:
            text = text.replace(f"\n{key}:", f"\n\n{key}:", 1).replace(f"\n\n\n{key}:", f"\n\n{key}:", 1)
        return text

    @staticmethod
    def _open(node: CommentedMap | CommentedSeq) -> None:
        """An empty `{}` or `[]` gets its entries on lines of their own."""
        if not node:
            node.fa.set_block_style()


def reader(text: str) -> tuple[YAML, Any]:
    """A reader that keeps comments and quotes and indents as the text does, and what it has read."""
    _, indent, offset = load_yaml_guess_indent(text)
    yaml = YAML(typ="rt")
    yaml.preserve_quotes, yaml.width = True, _WIDTH
    dash = 2 if offset is None else offset
    yaml.indent(mapping=2 if dash else indent or 2, sequence=dash + 2, offset=dash)
    return yaml, yaml.load(text)


def written(yaml: YAML, tree: Any) -> str:
    """The text of a tree."""
    out = io.StringIO()
    yaml.dump(tree, out)
    return out.getvalue()


def _means_the_same(mine: Mapping[str, Any], theirs: Mapping[str, Any], file: str) -> bool:
    """Whether two entries are alike; two rules are, where they differ by their names alone, as two stops on a purchase
    do."""
    plain, other = _plain(mine), _plain(theirs)
    return bool(plain == other or (file == _RULES and {**plain, "id": ""} == {**other, "id": ""}))


def _is_way_of(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Whether two transitions share a way from one touchpoint to another."""
    return all(set(mine.get(end) or []) & set(theirs.get(end) or []) for end in ("from", "into"))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value
