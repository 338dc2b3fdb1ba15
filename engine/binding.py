"""Conditions about an action become conditions about a customer alone: `$action.x` is replaced by the action's fact.

Done once, when a catalog or a plan is made. Then equal questions of different actions are one question, and nothing
that a condition reads depends on who asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

ACTION_FACT: Final = "$action."
NEVER: Final[Mapping[str, Any]] = {"any": []}  # an atom about a fact that the action does not have

Tree = Mapping[str, Any]


def bind(tree: Tree | None, facts: Mapping[str, Any]) -> Tree | None:
    """The tree with the facts of one action in it; None stays None."""
    if tree is None:
        return None
    ((word, body),) = tree.items()
    if word in ("all", "any"):
        return {word: [bind(part, facts) for part in body]}
    if word == "not":
        return {word: bind(body, facts)}
    try:
        return {word: _with_facts(body, facts)}
    except KeyError:
        return NEVER


def inline(tree: Tree | None, rules: Mapping[str, Tree]) -> Tree | None:
    """The tree with each `suppression` replaced by what that rule asks. Rules that need themselves are refused
    earlier."""
    if tree is None:
        return None
    ((word, body),) = tree.items()
    if word in ("all", "any"):
        return {word: [inline(part, rules) for part in body]}
    if word == "not":
        return {word: inline(body, rules)}
    return inline(rules[body], rules) if word == "suppression" else tree


def conjuncts(tree: Tree | None) -> list[Tree]:
    """The parts that must all hold, none of them an `all` itself."""
    if tree is None:
        return []
    ((word, body),) = tree.items()
    return [part for inner in body for part in conjuncts(inner)] if word == "all" else [tree]


def _with_facts(body: Any, facts: Mapping[str, Any]) -> Any:
    """Raises KeyError where a fact is absent."""
    if isinstance(body, str):
        return facts[body.removeprefix(ACTION_FACT)] if body.startswith(ACTION_FACT) else body
    if isinstance(body, Mapping):
        return {key: _with_facts(part, facts) for key, part in body.items()}
    return [_with_facts(part, facts) for part in body] if isinstance(body, list | tuple) else body
