"""When a calendar is open: one table for each UTC year, made when it is first asked for.

All times are whole microseconds since 1970 in UTC. The time worked in a year is remembered for
good, so a walk over years costs an addition for each. Beyond the years for which tzdata lists
changes of the clock, years of one length that begin on one weekday are alike: fourteen kinds.
"""

from bisect import bisect_left, bisect_right
from calendar import isleap
from collections.abc import Iterable, Iterator
from datetime import MAXYEAR, MINYEAR, date, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from handlers.sla.open_year import Year
from schemas.calendar import DAYS, Calendar, Interval

SECOND: Final = 1_000_000
DAY: Final = 86_400 * SECOND
MICROSECOND: Final = timedelta(microseconds=1)
EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
LAST_DAY: Final = date.max.toordinal()
LISTED_YEARS: Final = range(1800, 2101)
"""tzdata lists changes of the clock from 1844 to 2087; before there are none, after it by rules."""

MOST_TABLES: Final = 64
"""Years kept of a calendar, each of some 12 KB; when there are more, all are made again."""

Hours = tuple[tuple[int, int], ...]
"""Opening and closing times of a day, as microseconds after its midnight on the wall."""


class Opening(Protocol):
    """When work is done."""

    def opening(self, at: int) -> int | None:
        """The first open instant from here on; None where there is none until year 9999."""

    def measure(self, begin: int, end: int) -> int:
        """The open time between two instants, of which the first is not the later one."""

    def after(self, at: int, amount: int) -> int | None:
        """The first instant with so much open time since `at`, more than none."""

    def before(self, at: int, amount: int) -> int | None:
        """The last instant with so much open time until `at`, more than none."""


class RoundTheClock:
    """Always open."""

    def opening(self, at: int) -> int:
        return at

    def measure(self, begin: int, end: int) -> int:
        return end - begin

    def after(self, at: int, amount: int) -> int:
        return at + amount

    def before(self, at: int, amount: int) -> int:
        return at - amount


class OpeningHours:
    """The hours of one calendar."""

    def __init__(self, calendar: Calendar) -> None:
        self._zone = ZoneInfo(calendar.timezone)
        self._week = [_hours(getattr(calendar.weekly, day)) for day in DAYS]
        self._dated: dict[int, Hours] = {_day(text): () for text in calendar.holidays}
        for text, intervals in calendar.date_overrides.items():
            self._dated[_day(text)] = _hours(intervals)
        self._annual = [(int(text[:2]), int(text[3:])) for text in calendar.annual_holidays]
        own = {date.fromordinal(day).year for day in self._dated}
        self._unlike_others = {MINYEAR, MAXYEAR, *own, *(y - 1 for y in own), *(y + 1 for y in own)}
        self._tables: dict[int, Year] = {}
        self._totals: dict[int, int] = {}

    def opening(self, at: int) -> int | None:
        year = _year_of(at)
        table = self._table(year)
        index = bisect_right(table.closes, at)
        if index < len(table.opens):
            return max(at, table.opens[index])
        for later in range(year + 1, MAXYEAR + 1):
            if self._total(later):
                return self._table(later).opens[0]
        return None

    def measure(self, begin: int, end: int) -> int:
        first, last = _year_of(begin), _year_of(end)
        between = sum(self._total(year) for year in range(first, last))
        return between + self._table(last).until(end) - self._table(first).until(begin)

    def after(self, at: int, amount: int) -> int | None:
        year = _year_of(at)
        table = self._table(year)
        wanted, total = table.until(at) + amount, table.total
        while wanted > total:
            wanted -= total
            year += 1
            if year > MAXYEAR:
                return None
            total = self._total(year)
        table = self._table(year)
        index = bisect_left(table.worked, wanted)
        return table.closes[index] - (table.worked[index] - wanted)

    def before(self, at: int, amount: int) -> int | None:
        year = _year_of(at)
        wanted = self._table(year).until(at) - amount
        while wanted < 0:
            year -= 1
            if year < MINYEAR:
                return None
            wanted += self._total(year)
        table = self._table(year)
        index = bisect_right(table.worked, wanted)
        return table.opens[index] + wanted - (table.worked[index - 1] if index else 0)

    def _total(self, year: int) -> int:
        """The open time of a year, known without its table for all but the first of its kind."""
        kind = year
        if year not in LISTED_YEARS and year not in self._unlike_others:
            kind = -1 - 2 * date(year, 1, 1).weekday() - isleap(year)
            kind -= 14 * (year > LISTED_YEARS[-1])
        total = self._totals.get(kind)
        if total is None:
            total = self._totals[kind] = self._table(year).total
        return total

    def _table(self, year: int) -> Year:
        table = self._tables.get(year)
        if table is None:
            table = Year.of(self._intervals(year), _new_year(year), _new_year(year + 1))
            if len(self._tables) >= MOST_TABLES:
                self._tables.clear()
            self._tables[year] = table
        return table

    def _intervals(self, year: int) -> Iterator[tuple[int, int]]:
        """The intervals of the days that reach into this UTC year, in any order."""
        start, end = _new_year(year) // DAY + EPOCH_DAY, _new_year(year + 1) // DAY + EPOCH_DAY
        days = range(max(start - 2, 1), min(end, LAST_DAY) + 1)
        offsets = [*self._offsets(days.start, min(days.stop + 2, LAST_DAY + 1))]
        offsets += offsets[-1:] * 2  # the days after the last one that there is
        dated = self._annual_holidays(year) | self._dated if self._annual else self._dated
        for index, day in enumerate(days):
            hours = dated.get(day)
            if hours is None:
                hours = self._week[(day - 1) % 7]
            if not hours:
                continue
            offset, tomorrow, day_after = offsets[index : index + 3]
            if offset == tomorrow == day_after:
                midnight = (day - EPOCH_DAY) * DAY - offset
                for opens, closes in hours:
                    yield midnight + opens, midnight + closes
            elif DAY + offset > tomorrow:  # else the zone's clocks went past the whole day
                for opens, closes in hours:
                    yield self._instant(day, opens), self._instant(day, closes)

    def _annual_holidays(self, year: int) -> dict[int, Hours]:
        return {
            date(each, month, day).toordinal(): ()
            for each in range(max(year - 1, MINYEAR), min(year + 1, MAXYEAR) + 1)
            for month, day in self._annual
            if (month, day) != (2, 29) or isleap(each)
        }

    def _offsets(self, start: int, stop: int) -> Iterator[int]:
        """The offsets from UTC at midnights. Where two are the same, so are all between them."""
        known, offset = None, 0
        for day in range(start, stop):
            found = self._zone.utcoffset(datetime.fromordinal(day))
            if found is not known:
                known, offset = found, (found or timedelta()) // MICROSECOND
            yield offset

    def _instant(self, day: int, wall: int) -> int:
        """When a wall in this zone shows a time: for the first time, or later by as much as a gap.

        That is what zoneinfo says itself of a time whose `fold` is 0.
        """
        days, rest = divmod(wall, DAY)
        if day + days > LAST_DAY:
            return _new_year(MAXYEAR + 1)
        moment = datetime.fromordinal(day + days) + timedelta(microseconds=rest)
        offset = self._zone.utcoffset(moment) or timedelta()
        return (day - EPOCH_DAY) * DAY + wall - offset // MICROSECOND


def _hours(intervals: Iterable[Interval]) -> Hours:
    hours = []
    for opening, closing in intervals:
        opens, closes = _wall(opening), _wall(closing)
        hours.append((opens, closes if closes > opens else closes + DAY))
    return tuple(hours)


def _wall(text: str) -> int:
    hours, minutes, *seconds = map(int, text.split(":"))
    return (hours * 3600 + minutes * 60 + sum(seconds)) * SECOND


def _day(text: str) -> int:
    return date.fromisoformat(text).toordinal()


def _year_of(at: int) -> int:
    return date.fromordinal(at // DAY + EPOCH_DAY).year


def _new_year(year: int) -> int:
    day = date(year, 1, 1).toordinal() if year <= MAXYEAR else LAST_DAY + 1
    return (day - EPOCH_DAY) * DAY
