"""A table is as wide as what it says where nothing says how wide it may be."""

from __future__ import annotations

import pytest
from rich.table import Table

from serve.commands import screen

LONG = "x" * 100


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)


def table() -> Table:
    made = Table.grid(padding=(0, 3))
    made.add_row("name", LONG)
    return made


def test_a_pipe_has_room_for_what_is_written(capsys: pytest.CaptureFixture[str]):
    screen.console().print(table())
    assert capsys.readouterr().out.splitlines() == [f"name   {LONG}"]


@pytest.mark.parametrize("columns", ["0", "", "wide"])
def test_columns_that_say_nothing_are_as_unset(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("COLUMNS", columns)
    screen.console().print(table())
    assert capsys.readouterr().out.splitlines() == [f"name   {LONG}"]


def test_what_columns_says_is_obeyed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("COLUMNS", "50")
    screen.console().print(table())
    assert max(map(len, capsys.readouterr().out.splitlines())) == 50


def test_progress_without_a_terminal_is_a_line_each_tenth(capsys: pytest.CaptureFixture[str]):
    console = screen.console()
    with screen.waiting(console, "starting"), screen.bar(console, "replaying", 20) as told:
        for done in range(21):
            told(done, "03-02")
    said = capsys.readouterr().out.splitlines()
    assert said[:3] == ["starting …", "replaying 2 of 20  03-02", "replaying 4 of 20  03-02"]
    assert len(said) == 11
