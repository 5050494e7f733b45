"""The line that says how far a command is."""

from io import StringIO

import pytest

from consumer.cli.progress_line import ProgressLine, progress_text


class Terminal(StringIO):
    """Takes what is written, and says that it is a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("done", "total", "seconds", "expected"),
    [
        (0, 100, 0.0, f"{'░' * 24}   0%  0 of 100 facts  0/s"),
        (50, 100, 5.0, f"{'█' * 12}{'░' * 12}  50%  50 of 100 facts  10/s  5s left"),
        (1_000, 2_000_000, 10.0, f"{'░' * 24}   0%  1,000 of 2,000,000 facts  100/s  5h 33m left"),
        (100, 100, 5.0, f"{'█' * 24} 100%  100 of 100 facts  20/s"),
        (120, 100, 5.0, f"{'█' * 24} 100%  120 of 100 facts  24/s"),
        (0, 0, 1.0, f"{'█' * 24} 100%  0 of 0 facts  0/s"),
        (1, None, 4.0, "1 facts  0.25/s"),
    ],
)
def test_the_line_tells_share_rate_and_what_is_left(
    done: int, total: int | None, seconds: float, expected: str
) -> None:
    assert progress_text(done, total, "facts", seconds) == expected


def test_it_is_drawn_over_and_stands_at_the_end() -> None:
    terminal, clock = Terminal(), Clock()
    with ProgressLine(4, "facts", stream=terminal, seconds=clock) as line:
        for _ in range(4):
            clock.now += 0.06
            line.advance(1)
    drawn = terminal.getvalue()
    assert drawn.count("\r") == 3  # the first, one more, and the last state
    assert drawn.endswith("4 of 4 facts  17/s\x1b[K\n")


def test_room_is_made_for_other_text() -> None:
    terminal, clock = Terminal(), Clock()
    line = ProgressLine(2, "facts", stream=terminal, seconds=clock)
    line.advance(1)
    line.clear()
    assert terminal.getvalue().endswith("\r\x1b[K")
    line.advance(1)
    line.close()
    assert "2 of 2" in terminal.getvalue()


def test_what_is_no_terminal_gets_nothing() -> None:
    stream = StringIO()
    with ProgressLine(2, "facts", stream=stream) as line:
        line.advance(1)
        line.clear()
        line.advance(1)
    assert stream.getvalue() == ""
    assert line.done == 2
