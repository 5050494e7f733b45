"""Laws of business time, and its agreement with two others that reckon it."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from handlers.sla.calendar import ALWAYS, BusinessHours, Pause, compile_document
from tests.unit.handlers.sla.wall_clock import PLACES, documents, stretch

DAYS = 6
SECONDS = DAYS * 86_400
MICROSECOND = timedelta(microseconds=1)

seconds = st.integers(0, SECONDS - 1)
targets = st.integers(-2 * 86_400, 2 * 86_400) | st.integers(-100, 100)
spans = st.tuples(seconds, st.none() | seconds) | seconds.map(lambda since: (since, since + 7_200))


@st.composite
def questions(draw: st.DrawFn) -> tuple[dict[str, Any], date, list[Any]]:
    place = draw(st.sampled_from(PLACES))
    document = draw(documents(place, DAYS))
    return document, place[1] - timedelta(3), draw(st.lists(spans, max_size=3))


@settings(max_examples=150, deadline=None)
@given(questions(), seconds, seconds, targets)
def test_it_is_what_counting_the_seconds_gives(
    question: tuple[dict[str, Any], date, list[Any]], begin: int, end: int, target: int
) -> None:
    document, first, paused = question
    counted = stretch(document, first, DAYS, paused)
    hours = compile_document(document)
    pauses = [
        (counted.at(since), None if until is None else counted.at(until)) for since, until in paused
    ]
    elapsed = hours.elapsed(counted.at(begin), counted.at(end), pauses)
    assert elapsed == timedelta(seconds=counted.elapsed(begin, end))
    found = hours.due(counted.at(begin), timedelta(seconds=target), pauses)
    expected = counted.due(begin, target)
    if expected is not None:
        assert found == counted.at(expected)
    elif found is not None:  # outside of what was counted
        assert found >= counted.at(SECONDS) if target >= 0 else found <= counted.start


moments = st.datetimes(datetime(2025, 1, 1), datetime(2029, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  hypothesis adds the zone
amounts = st.timedeltas(MICROSECOND, timedelta(days=500))
pauses_in_time = st.lists(
    st.tuples(moments, moments) | moments.map(lambda since: (since, since + timedelta(hours=30))),
    max_size=4,
)
WORKING = [["08:30", "12:00"], ["12:45:30", "17:15"]]
calendars = st.sampled_from(
    [
        {
            "timezone": zone,
            "weekly": {"mon": WORKING, "wed": WORKING, "fri": [["22:00", "06:00"]]},
            "holidays": ["2026-10-26", "2027-03-29"],
            "annual_holidays": ["12-25", "02-29"],
            "date_overrides": {
                "2026-12-23": [["10:00", "11:00"]],
                "2026-10-25": [["00:00", "24:00"]],
            },
        }
        for zone in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo")
    ]
).map(compile_document) | st.just(ALWAYS)
every_calendar = given(calendars, moments, amounts, pauses_in_time)


@every_calendar
def test_what_is_due_has_elapsed(
    hours: BusinessHours, start: datetime, target: timedelta, pauses: Sequence[Pause]
) -> None:
    due = hours.due(start, target, pauses)
    assert due is not None
    assert hours.elapsed(start, due, pauses) == target
    assert hours.elapsed(start, due - MICROSECOND, pauses) == target - MICROSECOND


@every_calendar
def test_walking_back_undoes_walking_on(
    hours: BusinessHours, start: datetime, target: timedelta, pauses: Sequence[Pause]
) -> None:
    due = hours.due(start, target, pauses)
    assert due is not None
    assert hours.due(due, -target, pauses) == hours.due(start, timedelta(), pauses)


@given(calendars, st.lists(moments, min_size=3, max_size=3).map(sorted), pauses_in_time)
def test_time_adds_up(
    hours: BusinessHours, bounds: list[datetime], pauses: Sequence[Pause]
) -> None:
    first, second, third = bounds
    parts = hours.elapsed(first, second, pauses) + hours.elapsed(second, third, pauses)
    assert parts == hours.elapsed(first, third, pauses)
    assert hours.elapsed(third, first, pauses) == timedelta()


@every_calendar
def test_who_starts_later_or_needs_longer_ends_no_earlier(
    hours: BusinessHours, start: datetime, target: timedelta, pauses: Sequence[Pause]
) -> None:
    due = hours.due(start, target, pauses)
    later = hours.due(start + timedelta(hours=1), target, pauses)
    longer = hours.due(start, target + timedelta(hours=1), pauses)
    assert due is not None
    assert later is not None
    assert longer is not None
    assert due <= later
    assert due < longer


@given(
    calendars,
    moments,
    amounts,
    pauses_in_time.flatmap(lambda p: st.tuples(st.just(p), st.permutations(p))),
)
def test_the_order_of_pauses_changes_nothing(
    hours: BusinessHours,
    start: datetime,
    target: timedelta,
    both: tuple[Sequence[Pause], Sequence[Pause]],
) -> None:
    some, others = both
    assert hours.due(start, target, some) == hours.due(start, target, [*others, *some])


@every_calendar
def test_a_pause_counts_only_while_it_is_open(
    hours: BusinessHours, start: datetime, target: timedelta, pauses: Sequence[Pause]
) -> None:
    due = hours.due(start, target)
    assume(len(pauses) > 0)
    since, until = pauses[0]
    assert due is not None
    assert until is not None
    lost = hours.elapsed(max(since, start), until)
    delayed = hours.due(start, target, pauses[:1])
    if since >= due:
        assert delayed == due
    else:
        assert delayed == hours.due(start, target + lost)
