"""The same hours by opening-hours-py, where both reckon by the same rules.

The library has no seconds, takes the second of two repeated wall times and opens for no time in a
gap: so no interval here begins or ends in the small hours, when clocks change. And by the rules of
OpenStreetMap a day with hours of its own cuts off the night shift of the day before: so none here.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from opening_hours import OpeningHours, State

from handlers.sla.calendar import compile_document
from tests.unit.handlers.sla.wall_clock import DAYS

SHORT = dict(zip(DAYS, ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"), strict=True))

texts = st.integers(6 * 60, 23 * 60 + 59).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")
intervals = st.lists(
    st.tuples(texts, texts | st.just("24:00")).filter(lambda p: p[0] < p[1]),
    min_size=1,
    max_size=3,
)
days_of_2026 = st.integers(0, 364).map(lambda day: date(2026, 1, 1) + timedelta(days=day))
moments = st.datetimes(datetime(2026, 1, 2), datetime(2026, 12, 1), timezones=st.just(UTC))  # noqa: DTZ001  hypothesis adds the zone


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "timezone": draw(
            st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"])
        ),
        "weekly": draw(st.dictionaries(st.sampled_from(DAYS), intervals, min_size=1)),
        "holidays": [day.isoformat() for day in draw(st.lists(days_of_2026, max_size=5))],
    }


def expression(document: dict[str, Any]) -> str:
    rules = [
        f"{SHORT[day]} " + ",".join("-".join(pair) for pair in pairs)
        for day, pairs in document["weekly"].items()
    ]
    off = [f"{date.fromisoformat(text):%Y %b %d} off" for text in document["holidays"]]
    return "; ".join([*rules, *off])


@settings(max_examples=100, deadline=None)
@given(documents(), moments, st.integers(1, 60))
def test_opening_hours_py_finds_the_same_time(
    document: dict[str, Any], start: datetime, hours: int
) -> None:
    zone = ZoneInfo(document["timezone"])
    stop = start + timedelta(hours=37 * hours)
    library = OpeningHours(expression(document), timezone=zone)
    found = library.intervals(start.astimezone(zone), stop.astimezone(zone))
    worked = sum(
        (
            ends.astimezone(UTC) - begins.astimezone(UTC)
            for begins, ends, state, _ in found
            if state == State.OPEN
        ),
        timedelta(),
    )
    assert compile_document(document).elapsed(start, stop) == worked
