"""Commands that write many things ask first."""

import io
import sys

import pytest

from consumer.cli.asking import confirm
from consumer.cli.failures import WRONG_USE, CommandFailed


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_yes_is_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    confirm([("database", "db.example:5432/tickets"), ("rows", 3)], "Do it?", yes=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "database: db.example:5432/tickets\nrows: 3\n"


def test_without_a_terminal_yes_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(CommandFailed, match="--yes is needed") as refused:
        confirm([], "Do it?", yes=False)
    assert refused.value.exit_code == WRONG_USE


@pytest.mark.parametrize(("answer", "is_done"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_a_terminal_is_asked(
    monkeypatch: pytest.MonkeyPatch, answer: str, *, is_done: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    if is_done:
        confirm([], "Do it?", yes=False)
    else:
        with pytest.raises(CommandFailed, match="Nothing was done"):
            confirm([], "Do it?", yes=False)
