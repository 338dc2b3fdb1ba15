"""The filters and tests of our templates: Jinja's own, made safe for any data, and some of ours.

The result of a filter that cannot use its value is absent, so that `default` can replace it. A text where a number is
needed is read as one. Each use is counted, and filters that could fill a text up to any width are bounded.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from itertools import islice
from typing import Any, Final

from jinja2 import pass_environment, pass_eval_context
from jinja2.environment import Environment
from jinja2.exceptions import FilterArgumentError, UndefinedError
from jinja2.filters import sync_do_join
from jinja2.nodes import EvalContext
from jinja2.runtime import Undefined

from engine.errors import Refused
from engine.texts import effort, wording
from engine.texts.operators import UNFIT, compared, formatted, reckoned, written
from engine.texts.values import Absent, elements, is_nothing

_NUMBERS: Final = frozenset(("abs", "round", "filesizeformat"))  # filters whose value is read as a number
_TEXTS: Final = frozenset(
    [
        "capitalize",
        "center",
        "e",
        "escape",
        "forceescape",
        "indent",
        "lower",
        "replace",
        "safe",
        "string",
        "striptags",
        "title",
        "trim",
        "truncate",
        "upper",
        "urlize",
        "wordcount",
        "wordwrap",
    ]
)
# Filters whose arguments can be widths or counts, and so could fill a text up.
_SIZED: Final = frozenset(("center", "indent", "round", "batch", "slice", "tojson", "filesizeformat"))
_WEIGHED: Final = {"pprint": 20, "tojson": 1, "urlencode": 1, "xmlattr": 1}  # steps for each part of their value
_ORDERING: Final = frozenset(("sort", "min", "max", "unique", "groupby"))  # they compare parts with one another
_RAW: Final = frozenset(("default", "d"))  # they handle absent values themselves
_ABSENT_PASSES: Final = frozenset(("undefined", "none", "eq", "==", "equalto", "ne", "!=", "in", "sameas"))
_ORDER: Final = {
    "eq": ("eq", "==", "equalto"),
    "ne": ("ne", "!="),
    "lt": ("lt", "<", "lessthan"),
    "lteq": ("le", "<="),
    "gt": ("gt", ">", "greaterthan"),
    "gteq": ("ge", ">="),
}


def install(env: Environment) -> None:
    """Make the filters and tests of `env` those of this module."""
    ours: dict[str, Callable[..., Any]] = {
        "d": _default,
        "default": _default,
        "money": wording.money,
        "number": wording.number,
        "date": wording.day,
        "time": wording.clock_time,
        "rows": rows,
        "sum": _sum,
        "join": _join,
        "attr": _attr,
        "format": _format,
        "int": _int,
        "float": _float,
    }
    filters: dict[str, Any] = {**env.filters, **ours}
    env.filters = {name: _tolerant(name, filter_) for name, filter_ in filters.items()}
    tests: dict[str, Any] = {**env.tests, "none": is_nothing}
    for name, spellings in _ORDER.items():
        tests |= dict.fromkeys(spellings, _comparison(name))
    env.tests = {name: _calm(name, test) for name, test in tests.items()}


def rows(value: Any) -> list[Any]:
    """The lines of an order, however a shop sends them: the objects of a list; an object whose parts are objects holds
    the lines; any other object is one line."""
    if isinstance(value, dict):
        parts = list(value.values())
        value = parts if parts and all(isinstance(part, dict) for part in parts) else [value]
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list | tuple) else []


def _default(value: Any, instead: Any = "", boolean: bool = False) -> Any:
    return instead if is_nothing(value) or (boolean and not value) else value


@pass_environment
def _sum(env: Environment, value: Iterable[Any], attribute: Any = None, start: Any = 0) -> Any:
    """As in a database, lines without a number add nothing. A line with something that is no number makes the sum
    absent."""
    parts = value if attribute is None else (env.getitem(part, attribute) for part in value)
    return sum((reckoned(part) for part in parts if not is_nothing(part)), start)


def _int(value: Any, default: Any = None, base: Any = 10) -> Any:
    """The whole part of a number, however it is written; `default`, or absent, where there is none."""
    try:
        return int(str(value), base) if base != 10 else int(_number(value))
    except (*UNFIT, UndefinedError):
        return Absent() if default is None else default


def _float(value: Any, default: Any = None) -> Any:
    """The same with its decimals."""
    try:
        return float(_number(value))
    except (*UNFIT, UndefinedError):
        return Absent() if default is None else default


def _number(value: Any) -> Any:
    found = reckoned(value)
    if isinstance(found, str):
        raise ValueError("says no number")
    return found


@pass_eval_context
def _join(eval_ctx: EvalContext, value: Any, between: str = "", attribute: Any = None) -> Any:
    env, parts = eval_ctx.environment, value if isinstance(value, Iterable) else [value]
    if attribute is not None:
        parts = (env.getitem(part, attribute) for part in parts)
    texts = [written(part) for part in parts if not is_nothing(part)]
    effort.spend(chars=len(str(between)) * len(texts))
    return sync_do_join(eval_ctx, texts, between)


@pass_environment
def _attr(env: Environment, value: Any, name: str) -> Any:
    return env.getattr(value, str(name))


def _format(pattern: Any, *values: Any, **named: Any) -> Any:
    if is_nothing(pattern):
        return Absent()
    return formatted(pattern if isinstance(pattern, str) else str(pattern), named or values)


def _tolerant(name: str, filter_: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, counted and bounded, with an absent result where it cannot use its value."""
    before = 0 if _pass_arg(filter_) is None else 1  # Jinja hands an environment or a context over first

    @wraps(filter_)
    def calm(*args: Any, **named: Any) -> Any:
        head, value, rest = args[:before], args[before], args[before + 1 :]
        effort.spend()
        if name in _SIZED:
            for given in (*rest, *named.values()):
                effort.check_width(given)
        for given in (*rest, *named.values()):
            effort.weigh(given)
        if name in _WEIGHED:
            effort.weigh(value, _WEIGHED[name])
        if name in _ORDERING and isinstance(value, list | tuple):
            for part in value:
                effort.weigh(part if isinstance(part, list | tuple) else None)
        value = _fit(name, value)
        if name == "replace" and len(rest) > 1:
            effort.spend(chars=str(value).count(str(rest[0])) * len(str(rest[1])))
        try:
            made = filter_(*head, value, *rest, **named)
            if isinstance(made, Iterator):  # read here, so that errors in it are caught here
                made = list(islice(made, effort.STEPS_MAX))
        except FilterArgumentError:
            if name != "reverse":  # it raises this error for an unfit value, which is data
                raise
            return Absent()
        except (*UNFIT, UndefinedError):
            _check_arguments(name, filter_, args, named)
            return list(value) if name == "sort" and isinstance(value, list | tuple) else Absent()
        if isinstance(made, str | list | tuple):
            effort.spend(chars=len(made))
        return made

    return calm


def _fit(name: str, value: Any) -> Any:
    if name in _RAW:
        return value
    if name == "tojson" and isinstance(value, Undefined):
        return None
    if name in _NUMBERS:
        return reckoned(value)
    if (name in _TEXTS and not isinstance(value, str)) or (name == "urlencode" and isinstance(value, bool)):
        return str(written(value))
    return elements(value)


def _pass_arg(function: Callable[..., Any]) -> Any:
    return getattr(function, "jinja_pass_arg", None)


def _comparison(name: str) -> Callable[[Any, Any], bool]:
    return lambda value, other: compared(value, name, other)


def _calm(name: str, test: Callable[..., Any]) -> Callable[..., Any]:
    """The test, made safe: it fails for unfit values, and for absent ones unless it asks whether something is there."""
    before = 0 if _pass_arg(test) is None else 1

    @wraps(test)
    def calm(*args: Any, **named: Any) -> bool:
        effort.spend()
        effort.weigh(args[before + 1 :])
        if isinstance(args[before], Undefined) and name not in _ABSENT_PASSES:
            return False
        try:
            return bool(test(*args, **named))
        except UNFIT:
            _check_arguments(name, test, args, named)
            return False

    return calm


def _check_arguments(name: str, function: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> None:
    """Raises Refused where the template's own arguments are at fault, and not the data."""
    try:
        inspect.signature(function, follow_wrapped=False).bind(*args, **named)
    except TypeError as fault:
        raise Refused(f"{name}: {fault}") from None
    except ValueError:  # a function without a signature
        return
