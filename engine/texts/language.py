"""The Jinja of our templates: sandboxed, bounded, and with a customer's data before Python's attributes
(`docs/decisions/0023-data-ends-no-message.md`).

`x.name` is data or absent. A name is a method only where it is called: so an event with a field `items` and one without
are both read right, and `event.items()` works for either. Nothing is evaluated while a template is compiled. Its loops,
joins, comparisons and includes go through this environment, which counts them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache, wraps
from itertools import islice
from types import CodeType
from typing import Any, Final, NamedTuple

from jinja2 import meta, nodes, pass_context, pass_eval_context
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.nodes import EvalContext
from jinja2.runtime import Context, LoopContext, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range

from engine.errors import Refused
from engine.texts import effort, filters, operators
from engine.texts.guiding import Guiding
from engine.texts.values import Absent, elements
from engine.values import amounts

_DATA: Final = (dict, list, tuple, str, int, float)
_KEPT_CHARS_MAX: Final = 100_000  # of a template whose code is kept for others
_FILLING: Final = frozenset(("center", "ljust", "rjust", "zfill", "expandtabs"))


# The names at the top of the data of a call of another system, and those of a message's.
CALL_NAMES: Final = ("traits", "event", "language", "currency", "timezone")
NAMES: Final = frozenset((*CALL_NAMES, "action", "unsubscribe_url", "confirm_address_url"))


class TemplateLanguage(ImmutableSandboxedEnvironment):
    """The environment of templates; a renderer has one for each kind of escaping."""

    intercepted_binops = frozenset(ImmutableSandboxedEnvironment.default_binop_table)
    intercepted_unops = frozenset(ImmutableSandboxedEnvironment.default_unop_table)

    def __init__(self, **options: Any) -> None:
        super().__init__(undefined=Absent, optimized=False, finalize=_shown, **options)
        filters.install(self)
        del self.globals["lipsum"]
        self.globals["range"] = _counted

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`obj.attribute`: of data a part of it, never a method."""
        if isinstance(obj, Undefined):
            return obj
        if isinstance(obj, _DATA):
            return self.getitem(obj, attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """`obj[argument]`, for data."""
        if not isinstance(obj, _DATA):
            return super().getitem(obj, argument)
        try:
            return obj[argument]  # type: ignore[index]
        except (TypeError, LookupError):
            return Absent(obj=obj, name=argument)

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        """Raises SecurityError: an unsafe attribute is the author's fault, whatever the data is."""
        raise SecurityError(f"{attribute} is not for templates")

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """See `operators`."""
        return operators.arithmetic(operator, left, right)

    def call_unop(self, context: Context, operator: str, arg: Any) -> Any:
        """See `operators`."""
        return operators.negated(operator, arg)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """`obj(…)`: an absent value that is called stays absent."""
        effort.spend()
        if isinstance(__obj, Undefined):
            return __obj
        if isinstance(__obj, LoopContext) and args:
            args = (__self.looped(args[0]), *args[1:])
        return super().call(__context, __obj, *args, **kwargs)

    def compile(self, source: Any, name: Any = None, filename: Any = None, *rest: Any, **options: Any) -> Any:
        """The code of a template. It is the same for every renderer, so it is made once."""
        if not isinstance(source, str) or rest or options or len(source) > _KEPT_CHARS_MAX:
            return super().compile(source, name, filename, *rest, **options)
        return _compiled(source, name, filename, bool(self.autoescape))

    def compile_anew(self, source: str, name: str | None, filename: str | None) -> CodeType:
        """The same, without looking at what was compiled before."""
        return super().compile(source, name, filename)

    # Compiled templates call the methods below; see `guiding`.

    def method(self, obj: Any, name: str) -> Any:
        """The function that `obj.name(…)` calls."""
        if name.startswith("_"):
            raise SecurityError(f"{name} is not for templates")
        if not isinstance(obj, (*_DATA, Undefined)):
            return self.getattr(obj, name)
        found = Absent() if isinstance(obj, Undefined) else super().getattr(obj, name)
        return _bounded(name, obj, found) if callable(found) and not isinstance(found, Undefined) else Absent()

    def looped(self, value: Any, chars: int = 0, names: int = 0) -> Any:
        """The elements that a loop goes through; a value that is no list counts as a list of one. `chars` is the length
        of the loop's body, `names` how many names each element is unpacked into (0: it is not)."""
        if isinstance(value, Undefined | bool) or value is None:
            return ()
        if isinstance(value, str | int | float) or not isinstance(value, Iterable):
            value = (value,)
        listed = elements(list(islice(value, effort.STEPS_MAX + 1)))
        effort.spend(len(listed), len(listed) * chars)
        return [self.unpacked(each, names) for each in listed] if names else listed

    def unpacked(self, value: Any, names: int) -> tuple[Any, ...]:
        """A value unpacked into so many names; names for which it has no part are absent."""
        parts = tuple(value)[:names] if isinstance(value, list | tuple) else (value,)
        return parts + (Absent(),) * (names - len(parts))

    def sliced(self, value: Any, start: Any, stop: Any, step: Any) -> Any:
        """`value[start:stop:step]`: of a list, of a text, or of a number as it is written; absent for all others."""
        effort.spend()
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str | list | tuple):
            return Absent()
        try:
            made = value[start:stop:step]
        except operators.UNFIT:
            return Absent()
        effort.spend(chars=len(made))
        return made

    def repeated(self, left: Any, right: Any) -> Any:
        """See `operators`."""
        return operators.repeated(left, right)

    def compared(self, left: Any, *rest: Any) -> bool:
        """See `operators`."""
        return operators.compared(left, *rest)

    @pass_eval_context
    def joined(self, eval_ctx: EvalContext, *parts: Any) -> str:
        """See `operators`."""
        return operators.joined(bool(eval_ctx.autoescape), parts)

    def included(self, name: Any) -> Any:
        """The name of another template, whose use counts."""
        effort.spend(chars=1000)
        return name

    def _generate(self, source: nodes.Template, *args: Any, **options: Any) -> str:
        return super()._generate(Guiding().visit(source), *args, **options)


def _counted(*bounds: Any) -> Any:
    """`range(…)`: texts that spell whole numbers count as these; with any other value it is empty."""
    try:
        return safe_range(*(int(operators.reckoned(bound)) for bound in bounds))
    except OverflowError:
        raise Refused("counts too far") from None
    except operators.UNFIT:
        if not 1 <= len(bounds) <= 3:
            raise
        return ()


@pass_context
def _shown(context: Context, value: Any) -> Any:
    """The text that `{{ value }}` writes."""
    text = "" if isinstance(value, Macro) else operators.written(value)
    effort.spend(chars=len(text) if isinstance(text, str) else 20)
    return text


def _bounded(name: str, obj: Any, method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of data, counted and bounded; absent for arguments that it cannot take."""

    @wraps(method)
    def calm(*args: Any, **named: Any) -> Any:
        if name in _FILLING:
            for given in (*args, *named.values()):
                effort.check_width(given)
        for given in (*args, *named.values()):
            effort.weigh(given)
        if name == "translate" and args and isinstance(args[0], Mapping):
            effort.spend(chars=len(obj) * max((len(str(part)) for part in args[0].values()), default=0))
        if name in ("format", "format_map"):
            operators.check_pattern(obj)
        if name == "replace" and len(args) > 1:
            effort.spend(chars=str(obj).count(str(args[0])) * len(str(args[1])))
        if name == "join" and args:
            args = (listed := [str(operators.written(part)) for part in _parts(args[0])], *args[1:])
            effort.spend(chars=len(obj) * len(listed) + sum(map(len, listed)))
        try:
            made = method(*args, **named)
        except operators.UNFIT:
            return Absent()
        if isinstance(made, str | list | tuple):
            effort.spend(chars=len(made))
        return made

    return calm


def _parts(value: Any) -> Iterable[Any]:
    return elements(value) if isinstance(value, Iterable) else ()


def with_mentioned(templates: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Those of `templates`, with all that they include or extend."""
    found: dict[str, str] = {}
    left = [name for name in names if name in templates]
    while left:
        name = left.pop()
        if name not in found:
            found[name] = templates[name]
            left += [other for other in _mentions(templates[name]) if other in templates]
    return found


class Facts(NamedTuple):
    """Facts about a template that its text tells."""

    unknown: tuple[tuple[int, str], ...]  # names that no data could ever have, each with the line of its first use
    mentioned: tuple[str | None, ...]  # templates that it includes or extends, None for one that is worked out
    uses: tuple[tuple[str, str, int], ...]  # (`traits` or `event`, the name behind it, its line)
    odd_currencies: tuple[tuple[int, str], ...]  # (line, word) where `money` is given a word that is no currency
    optional: frozenset[str]  # templates that it includes where they are there


@lru_cache(maxsize=512)
def parsed(source: str) -> nodes.Template:
    """The tree of a template, to be read and never changed. Raises TemplateError or RecursionError."""
    return _PARSERS[False].parse(source)


@lru_cache(maxsize=8192)
def facts_of(source: str) -> Facts:
    """See `Facts`. Raises what `parsed` raises."""
    tree = parsed(source)
    mentioned = tuple(meta.find_referenced_templates(tree))
    optional = (name for node in tree.find_all(nodes.Include) if node.ignore_missing for name in _included(node))
    return Facts(_unknown(tree), mentioned, tuple(_uses(tree)), tuple(_odd(tree)), frozenset(optional))


def _included(node: nodes.Include) -> Iterator[str]:
    """The names that an include writes out: one, or several of which the first is taken that there is."""
    parts = node.template.items if isinstance(node.template, nodes.List | nodes.Tuple) else [node.template]
    yield from (part.value for part in parts if isinstance(part, nodes.Const) and isinstance(part.value, str))


def _unknown(tree: nodes.Template) -> tuple[tuple[int, str], ...]:
    unknown = meta.find_undeclared_variables(tree) - NAMES
    lines: dict[str, int] = {}
    for name in tree.find_all(nodes.Name):
        if name.name in unknown:
            lines[name.name] = min(name.lineno, lines.get(name.name, name.lineno))
    return tuple(sorted((line, name) for name, line in lines.items()))


def _uses(tree: nodes.Template) -> Iterator[tuple[str, str, int]]:
    for node in tree.find_all((nodes.Getattr, nodes.Getitem)):
        home = node.node  # type: ignore[attr-defined]
        if isinstance(home, nodes.Name) and home.name in ("traits", "event"):
            name = node.attr if isinstance(node, nodes.Getattr) else getattr(node.arg, "value", None)  # type: ignore[attr-defined]
            if isinstance(name, str):
                yield home.name, name, node.lineno


def _odd(tree: nodes.Template) -> Iterator[tuple[int, str]]:
    for node in tree.find_all(nodes.Filter):
        given = [*node.args[:1], *(each.value for each in node.kwargs if each.key == "currency")]
        for each in given if node.name == "money" else ():
            if isinstance(each, nodes.Const) and isinstance(each.value, str) and not amounts.codes(each.value):
                yield node.lineno, each.value


def _mentions(source: str) -> tuple[str, ...]:
    try:
        return tuple(name for name in facts_of(source).mentioned if name)
    except (TemplateError, RecursionError):
        return ()


@lru_cache(maxsize=4096)
def _compiled(source: str, name: str | None, filename: str | None, is_html: bool) -> CodeType:
    return _PARSERS[is_html].compile_anew(source, name, filename)


_PARSERS: Final = {is_html: TemplateLanguage(autoescape=is_html) for is_html in (False, True)}
