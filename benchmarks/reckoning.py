"""What it takes to tell when something is due, by a calendar with breaks."""

import time
from datetime import UTC, datetime, timedelta
from statistics import median

from handlers.sla.calendar import compile_document

_OFFICE = [["09:00", "12:00"], ["13:00", "17:00"]]
_CALENDAR = {
    "timezone": "Europe/Berlin",
    "weekly": dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), _OFFICE),
    "annual_holidays": ["01-01", "05-01", "10-03", "12-25", "12-26"],
    "date_overrides": {"2026-12-24": [["09:00", "12:00"]]},
}
_TARGET = timedelta(hours=8)
_YEAR_SECONDS = 365 * 86_400
_STARTS = 2_000
_ROUNDS = 11


def microseconds_of_due() -> float:
    """Of one due time of an 8-hour target, from any second of a year; the median of rounds."""
    hours = compile_document(_CALENDAR)
    first = datetime(2026, 1, 1, tzinfo=UTC)
    starts = [
        first + timedelta(seconds=number * 1_234_577 % _YEAR_SECONDS) for number in range(_STARTS)
    ]

    def seconds() -> float:
        began = time.perf_counter()
        for start in starts:
            hours.due(start, _TARGET)
        return time.perf_counter() - began

    seconds()  # the years are worked out once
    return median(seconds() for _ in range(_ROUNDS)) / _STARTS * 1e6
