"""Each class of error has one line in the table, and crosses processes by it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest

from engine.errors import BY_CODE, CatalogError, Moved, Overloaded, SegueError, made_anew

_KINDS = {"str": str, "int": int, "tuple[str, ...]": tuple}


def classes(root: type[SegueError] = SegueError) -> Iterator[type[SegueError]]:
    yield root
    for each in root.__subclasses__():
        yield from classes(each)


def test_the_table_has_each_class_under_its_code():
    ours = [cls for cls in classes() if cls.__module__ == SegueError.__module__]
    assert {cls.code: cls for cls in ours} == BY_CODE and len(ours) == len(BY_CODE)


@pytest.mark.parametrize("cls", BY_CODE.values(), ids=lambda cls: cls.__name__)
def test_a_class_names_the_arguments_that_its_constructor_takes(cls: type[SegueError]):
    parameters = inspect.signature(cls).parameters.values()
    assert tuple(_KINDS[str(each.annotation)] for each in parameters) == cls.arguments


@pytest.mark.parametrize("cls", BY_CODE.values(), ids=lambda cls: cls.__name__)
def test_an_error_is_made_anew_of_its_code_and_arguments(cls: type[SegueError]):
    values = {str: "some text", int: 2500, tuple: ("a.yaml:1: x", "b.yaml:2: y")}
    for error in (cls(), cls(*(values[kind] for kind in cls.arguments))):
        travelled = [list(each) if isinstance(each, tuple) else each for each in error.args]
        made = made_anew(error.code, travelled)
        assert (type(made), vars(made), made.args) == (cls, vars(error), error.args)


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("of_another_version", ["a text", ""]),
        (Overloaded.code, ["soon"]),
        (Moved.code, [7]),
        (Moved.code, ["here", "there"]),
        (CatalogError.code, ["a text"]),
    ],
)
def test_what_the_table_does_not_have_is_no_error_of_ours(code: str, arguments: list[object]):
    assert made_anew(code, arguments) is None
