"""What business time is, second by second: written without looking at how the program reckons.

One byte for each second, 1 where it is open. Slow, and simple enough to be believed.
"""

from datetime import UTC, date, datetime, time, timedelta
from itertools import compress
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

PLACES = (
    ("UTC", date(2026, 12, 31)),
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("Europe/Berlin", date(2150, 3, 29)),
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2028, 2, 29)),
    ("America/Toronto", date(1919, 3, 30)),  # from 23:30 to 00:30
    ("Australia/Lord_Howe", date(2026, 4, 5)),  # half an hour
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("America/Sao_Paulo", date(2018, 2, 17)),  # at midnight, back and forth
    ("America/Sao_Paulo", date(2018, 11, 4)),
    ("Asia/Beirut", date(2022, 3, 27)),
    ("Africa/Cairo", date(2024, 4, 26)),
    ("Asia/Gaza", date(2085, 11, 17)),
    ("Atlantic/Azores", date(2026, 3, 29)),
    ("Antarctica/Troll", date(2026, 3, 29)),  # two hours
    ("Pacific/Apia", date(2011, 12, 30)),  # a day that was none
    ("Pacific/Kwajalein", date(1993, 8, 21)),
    ("Europe/Amsterdam", date(1700, 1, 1)),
)
"""Zones and days on which something happens to their clocks."""


class Stretch(NamedTuple):
    """Some days. is_open: a byte for each second from the first one's beginning in UTC."""

    start: datetime
    is_open: bytes

    def elapsed(self, begin: int, end: int) -> int:
        return sum(self.is_open[begin:end])

    def due(self, begin: int, target: int) -> int | None:
        """The second at which it is due; None where this stretch is too short to tell."""
        if target == 0:
            found = self.is_open.find(1, begin)
            return None if found < 0 else found
        if target > 0:
            worked = list(compress(range(begin, len(self.is_open)), self.is_open[begin:]))
            return worked[target - 1] + 1 if len(worked) >= target else None
        worked = list(compress(range(begin), self.is_open))
        return worked[target] if len(worked) >= -target else None

    def at(self, second: int) -> datetime:
        return self.start + timedelta(seconds=second)


def stretch(document: dict[str, Any], first: date, days: int, pauses: list[Any]) -> Stretch:
    """Some days of a calendar. pauses: pairs of seconds from their beginning."""
    start = datetime.combine(first, time(), UTC)
    seconds = bytearray(days * 86_400)
    for offset in range(-3, days + 3):
        day = first + timedelta(offset)
        if happened(document["timezone"], day):
            for opens, closes in hours_on(document, day):
                mark(seconds, start, instant(document, day, opens), instant(document, day, closes))
    for since, until in pauses:
        end = len(seconds) if until is None else until
        if since < end:
            seconds[since:end] = bytes(min(end, len(seconds)) - since)
    return Stretch(start, bytes(seconds))


def mark(seconds: bytearray, start: datetime, opens: datetime, closes: datetime) -> None:
    begin = max(0, round((opens - start).total_seconds()))
    end = min(len(seconds), round((closes - start).total_seconds()))
    if begin < end:
        seconds[begin:end] = b"\1" * (end - begin)


def hours_on(document: dict[str, Any], day: date) -> list[tuple[int, int]]:
    text = day.isoformat()
    if text in document["date_overrides"]:
        pairs = document["date_overrides"][text]
    elif text in document["holidays"] or text[5:] in document["annual_holidays"]:
        pairs = []
    else:
        pairs = document["weekly"].get(DAYS[day.weekday()], [])
    found = []
    for pair in pairs:
        opens, closes = (3600 * int(text[:2]) + 60 * int(text[3:5]) for text in pair)
        found.append((opens, closes if opens < closes else closes + 86_400))
    return found


def instant(document: dict[str, Any], day: date, second: int) -> datetime:
    wall = datetime.combine(day, time()) + timedelta(seconds=second)
    return wall.replace(tzinfo=ZoneInfo(document["timezone"])).astimezone(UTC)


def happened(zone: str, day: date) -> bool:
    """Whether clocks of this zone ever showed this day."""
    noon = datetime.combine(day, time(12), ZoneInfo(zone))
    return noon.astimezone(UTC).astimezone(ZoneInfo(zone)).date() == day


wall_times = st.one_of(
    st.sampled_from(["00:00", "00:15", "01:00", "01:45", "02:00", "02:15", "02:30", "03:00"]),
    st.sampled_from(["09:00", "12:00", "13:00", "17:00", "22:00", "23:00", "23:45"]),
    st.times().map(lambda found: found.strftime("%H:%M")),
)
intervals = st.lists(
    st.tuples(wall_times, wall_times | st.just("24:00")).map(list), min_size=0, max_size=3
)


@st.composite
def documents(draw: st.DrawFn, place: tuple[str, date], most_days: int) -> dict[str, Any]:
    """A calendar in a zone, with exceptions around a day."""
    zone, middle = place
    near = st.integers(-2, most_days).map(lambda days: (middle + timedelta(days)).isoformat())
    return {
        "timezone": zone,
        "weekly": draw(st.dictionaries(st.sampled_from(DAYS), intervals, min_size=4)),
        "holidays": draw(st.lists(near, max_size=2)),
        "annual_holidays": draw(st.lists(near.map(lambda text: text[5:]), max_size=1)),
        "date_overrides": draw(st.dictionaries(near, intervals, max_size=2)),
    }
