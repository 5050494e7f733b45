"""Output is safe for a terminal, whole in a pipe, and plain with NO_COLOR."""

import pytest

from consumer.cli.output import print_fields, print_json, print_table, printable, say, shortened

ROWS = [("TCK-1", "created", "x" * 120), ("TCK-2", "", None)]


def test_a_pipe_gets_whole_rows_without_colour(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("NUMBER", "STATUS", "title"), ROWS)
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "number  status   title",
        f"TCK-1   created  {'x' * 120}",
        "TCK-2   -        -",
    ]


def test_a_terminal_gets_folded_rows_with_colour(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    print_table(("NUMBER", "STATUS", "title"), ROWS)
    out = capsys.readouterr().out
    assert "\x1b[32mcreated\x1b[0m" in out
    assert out.count("x") == 120
    monkeypatch.setenv("NO_COLOR", "1")
    print_table(("NUMBER", "STATUS", "title"), ROWS)
    plain = capsys.readouterr().out
    assert "\x1b[3" not in plain
    assert max(len(line) for line in plain.splitlines() if "\x1b" not in line) <= 40


def test_control_characters_cannot_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say("a\x1b[31mb\x07\u202ec\nd")
    assert capsys.readouterr().out == "a\\x1b[31mb\\x07\\u202ec\nd\n"
    print_fields([("name", "x\x1b]0;title\x07")])
    assert "\x1b" not in capsys.readouterr().out


def test_markup_of_a_customer_stays_text(capsys: pytest.CaptureFixture[str]) -> None:
    say("[bold]not ours[/bold] :smile:")
    print_table(("title",), [("[red]x[/red]",)])
    out = capsys.readouterr().out
    assert "[bold]not ours[/bold] :smile:" in out
    assert "[red]x[/red]" in out


def test_json_holds_bytes_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"key": b"caf\xc3\xa9 \xff"})
    assert capsys.readouterr().out == '{"key":"café \\\\xff"}\n'


def test_a_long_text_says_how_much_is_left_out() -> None:
    assert shortened("abc", 3) == "abc"
    assert shortened("abcde", 3) == "abc... (2 more characters)"
    assert printable("é 漢") == "é 漢"


def test_no_letter_is_lost_where_a_cell_folds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rich 15 cuts the last column when only its right side is padded."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    text = "title: is 1 character long; expected text of 3 to 255 characters"
    for columns in range(50, 90):
        monkeypatch.setenv("COLUMNS", str(columns))
        print_table(("id", "@failed", "why"), [("", "", text)])
        words = capsys.readouterr().out.split()
        assert "".join(words).endswith(text.replace(" ", "")), columns
