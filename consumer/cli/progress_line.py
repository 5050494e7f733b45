"""How far a long command is: a bar, the rate and the time that is left, on one line of stderr.

Only where stderr is a terminal: a log file is no place for a line that is written over. stdout
stays free for the results.
"""

import sys
from collections.abc import Callable
from shutil import get_terminal_size
from types import TracebackType
from typing import Final, Self, TextIO

from consumer import clock
from consumer.cli.moments import span

BAR: Final = 24
REDRAW_SECONDS: Final = 0.1
"""The line is written ten times a second at most, however quickly the work advances."""

FULL: Final = "█"
EMPTY: Final = "░"
BACK: Final = "\r"
CLEAR_TO_END: Final = "\x1b[K"


class ProgressLine:
    """One line for one piece of work. Use it in a `with`, or call `close` at its end.

    total: how much there is, or None where nobody knows. unit: of what, in the plural, such as
    "facts".
    """

    def __init__(
        self,
        total: int | None,
        unit: str,
        *,
        stream: TextIO | None = None,
        seconds: Callable[[], float] = clock.seconds,
    ) -> None:
        self._total = total
        self._unit = unit
        self._stream = stream or sys.stderr
        self._seconds = seconds
        self._began = seconds()
        self._drawn_at: float | None = None
        self._is_shown = self._stream.isatty()
        self.done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def advance(self, number: int) -> None:
        """So many more are done."""
        self.done += number
        now = self._seconds()
        if self._drawn_at is None or now - self._drawn_at >= REDRAW_SECONDS:
            self._draw(now)

    def clear(self) -> None:
        """Make room for a line of other text; the next `advance` draws again."""
        if self._drawn_at is not None and self._is_shown:
            self._stream.write(f"{BACK}{CLEAR_TO_END}")
            self._stream.flush()
        self._drawn_at = None

    def close(self) -> None:
        """Leave the last state standing, and the cursor on the next line."""
        if self._drawn_at is not None and self._is_shown:
            self._draw(self._seconds())
            self._stream.write("\n")
            self._stream.flush()
        self._drawn_at = None

    def _draw(self, now: float) -> None:
        self._drawn_at = now
        if not self._is_shown:
            return
        text = progress_text(self.done, self._total, self._unit, now - self._began)
        width = get_terminal_size().columns
        self._stream.write(f"{BACK}{text[: width - 1]}{CLEAR_TO_END}")
        self._stream.flush()


def progress_text(done: int, total: int | None, unit: str, seconds: float) -> str:
    """What the line says after so many seconds. More than the total may be done: it grew."""
    rate = done / seconds if seconds > 0 else 0.0
    told = f"{rate:,.0f}/s" if rate >= 1 or not rate else f"{rate:.2f}/s"
    if total is None:
        return f"{done:,} {unit}  {told}"
    share = min(1.0, done / total) if total else 1.0
    filled = int(share * BAR)
    bar = FULL * filled + EMPTY * (BAR - filled)
    left = ""
    if rate and done < total:
        left = f"  {span((total - done) / rate)} left"
    return f"{bar} {int(share * 100):3}%  {done:,} of {total:,} {unit}  {told}{left}"
