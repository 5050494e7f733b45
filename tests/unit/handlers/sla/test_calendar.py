"""Business time by example: each rule of its own, and the days on which clocks change."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from handlers.sla.calendar import ALWAYS, BusinessHours, compile_calendar, compile_document
from schemas.calendar import Calendar

OFFICE = [["09:00", "12:00"], ["13:00", "17:00"]]
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")
EVERY_DAY = (*WEEKDAYS, "sat", "sun")
HOUR = timedelta(hours=1)
NONE = timedelta()


def hours(zone: str = "Europe/Berlin", **fields: Any) -> BusinessHours:  # noqa: ANN401  any part of a calendar
    weekly = {"weekly": dict.fromkeys(WEEKDAYS, OFFICE)}
    return compile_document({"timezone": zone, **weekly, **fields})


def daily(zone: str, opens: str, closes: str) -> BusinessHours:
    return hours(zone, weekly={day: [[opens, closes]] for day in EVERY_DAY})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def open_on(calendar: BusinessHours, day: str, zone_offset: str = "+00:00") -> timedelta:
    start = at(f"{day}T00:00{zone_offset}")
    return calendar.elapsed(start, start + timedelta(days=1))


@pytest.mark.parametrize(
    ("start", "target", "due"),
    [
        ("2026-11-24T09:00+01:00", 1 * HOUR, "2026-11-24T10:00+01:00"),
        ("2026-11-24T11:30+01:00", 1 * HOUR, "2026-11-24T13:30+01:00"),  # over lunch
        ("2026-11-24T11:00+01:00", 1 * HOUR, "2026-11-24T12:00+01:00"),  # a close is that close
        ("2026-11-24T16:00+01:00", 1 * HOUR, "2026-11-24T17:00+01:00"),
        ("2026-11-24T12:00+01:00", 1 * HOUR, "2026-11-24T14:00+01:00"),
        ("2026-11-27T16:00+01:00", 8 * HOUR, "2026-11-30T17:00+01:00"),  # over the weekend
        ("2026-11-28T10:00+01:00", NONE, "2026-11-30T09:00+01:00"),
        ("2026-11-24T12:00+01:00", NONE, "2026-11-24T13:00+01:00"),  # at the close it is closed
        ("2026-11-24T09:00+01:00", NONE, "2026-11-24T09:00+01:00"),
        ("2026-11-24T10:00+01:00", -1 * HOUR, "2026-11-24T09:00+01:00"),  # an opening is that one
        ("2026-11-24T13:30+01:00", -1 * HOUR, "2026-11-24T11:30+01:00"),
        ("2026-11-30T09:00+01:00", -8 * HOUR, "2026-11-26T16:00+01:00"),
        (
            "2026-11-24T11:59:59.999999+01:00",
            timedelta(microseconds=2),
            "2026-11-24T13:00:00.000001+01:00",
        ),
    ],
)
def test_a_target_is_due_in_business_time(start: str, target: timedelta, due: str) -> None:
    found = hours().due(at(start), target)
    assert found == at(due)
    assert found.utcoffset() == NONE


@pytest.mark.parametrize(
    ("pauses", "due"),
    [
        ([("10:00", "11:00")], "2026-11-24T13:30+01:00"),
        ([("12:00", "13:00")], "2026-11-24T11:30+01:00"),  # nothing was lost
        ([("11:00", "13:30")], "2026-11-24T14:00+01:00"),  # an hour before lunch, half after it
        ([("10:00", "10:30"), ("10:15", "10:45")], "2026-11-24T13:15+01:00"),  # a union
        ([("10:15", "10:45"), ("10:00", "10:30")], "2026-11-24T13:15+01:00"),
        ([("10:45", "10:15")], "2026-11-24T11:30+01:00"),  # reversed: none
        ([("11:30", None)], "2026-11-24T11:30+01:00"),  # it is due before the pause stops it
        ([("11:29", None)], None),
        ([("09:00", None), ("10:00", "11:00")], None),
    ],
)
def test_pauses_stop_the_clock(pauses: list[tuple[str, str | None]], due: str | None) -> None:
    day = "2026-11-24T{}+01:00"
    times = [
        (at(day.format(since)), None if until is None else at(day.format(until)))
        for since, until in pauses
    ]
    found = hours().due(at("2026-11-24T09:30+01:00"), 2 * HOUR, times)
    assert found == (None if due is None else at(due))


def test_no_target_in_a_pause_is_due_when_work_goes_on() -> None:
    start = at("2026-11-24T10:00+01:00")
    pauses = [(start, at("2026-11-24T10:20+01:00"))]
    assert hours().due(start, NONE, pauses) == at("2026-11-24T10:20+01:00")
    assert ALWAYS.due(start, NONE, pauses) == at("2026-11-24T10:20+01:00")
    over_lunch = [(start, at("2026-11-24T12:30+01:00"))]
    assert hours().due(start, NONE, over_lunch) == at("2026-11-24T13:00+01:00")
    assert hours().due(start, NONE, [(start, None)]) is None


def test_an_open_pause_does_not_stop_the_walk_back() -> None:
    start = at("2026-11-24T11:00+01:00")
    pauses = [(at("2026-11-24T10:00+01:00"), None)]
    assert hours().due(start, -HOUR / 2, pauses) == at("2026-11-24T09:30+01:00")


def test_reversed_bounds_have_no_time_between_them() -> None:
    assert hours().elapsed(at("2026-11-25T00:00Z"), at("2026-11-24T00:00Z")) == NONE


def test_without_a_calendar_all_time_counts() -> None:
    start = at("2026-11-28T03:00+01:00")
    assert ALWAYS.due(start, 8 * HOUR) == start + 8 * HOUR
    assert ALWAYS.due(start, -8 * HOUR) == start - 8 * HOUR
    assert ALWAYS.elapsed(start, start + 50 * HOUR, [(start, start + HOUR)]) == 49 * HOUR


def test_an_override_beats_a_holiday_and_a_holiday_the_week() -> None:
    calendar = hours(
        holidays=["2026-12-24", "2026-12-28"],
        annual_holidays=["12-25"],
        date_overrides={
            "2026-12-24": [["09:00", "12:00"]],
            "2026-12-26": [["10:00", "11:00"]],
            "2026-12-29": [],
        },
    )
    worked = {day: open_on(calendar, f"2026-12-{day}") / HOUR for day in range(23, 31)}
    assert worked == {23: 7, 24: 3, 25: 0, 26: 1, 27: 0, 28: 0, 29: 0, 30: 7}


def test_a_leap_day_is_a_holiday_when_there_is_one() -> None:
    calendar = hours(annual_holidays=["02-29"])
    assert open_on(calendar, "2028-02-29") == NONE  # a Tuesday
    assert open_on(calendar, "2028-02-28") == 7 * HOUR
    assert open_on(calendar, "2028-03-01") == 7 * HOUR
    assert open_on(calendar, "2027-03-01") == 7 * HOUR


def test_24_00_is_midnight_and_not_the_minute_before() -> None:
    calendar = daily("Europe/Berlin", "00:00", "24:00")
    assert open_on(calendar, "2026-11-24") == 24 * HOUR
    short = daily("Europe/Berlin", "00:00", "23:59")
    assert open_on(short, "2026-11-24") == 24 * HOUR - timedelta(minutes=1)
    evening = daily("UTC", "20:00", "24:00")
    assert evening.due(at("2026-11-24T21:00Z"), 3 * HOUR) == at("2026-11-25T00:00Z")


def test_a_close_that_is_not_after_its_open_is_on_the_next_day() -> None:
    night = hours("UTC", weekly={"fri": [["22:00", "06:00"]], "mon": [["08:00", "08:00"]]})
    assert night.due(at("2026-11-27T21:00Z"), 8 * HOUR) == at("2026-11-28T06:00Z")
    assert open_on(night, "2026-11-28") == 6 * HOUR
    assert open_on(night, "2026-11-30") == 16 * HOUR  # round the clock, from eight
    assert open_on(night, "2026-12-01") == 8 * HOUR


def test_a_night_shift_is_that_of_the_day_on_which_it_opens() -> None:
    shift = [["22:00", "06:00"]]
    calendar = hours("UTC", weekly={"thu": shift, "fri": shift}, holidays=["2026-12-25"])
    assert open_on(calendar, "2026-12-25") == 6 * HOUR  # still Christmas Eve's
    assert open_on(calendar, "2026-12-26") == NONE
    assert open_on(calendar, "2026-12-19") == 6 * HOUR


def test_a_night_shift_is_as_long_as_it_really_was() -> None:
    night = daily("Europe/Berlin", "22:00", "06:00")
    assert night.elapsed(at("2026-03-28T12:00Z"), at("2026-03-29T12:00Z")) == 7 * HOUR
    assert night.elapsed(at("2026-10-24T12:00Z"), at("2026-10-25T12:00Z")) == 9 * HOUR
    assert night.due(at("2026-10-24T20:00Z"), 9 * HOUR) == at("2026-10-25T06:00+01:00")


def test_intervals_that_touch_or_overlap_are_one() -> None:
    calendar = hours(
        "UTC", weekly={"tue": [["10:00", "12:00"], ["09:00", "10:00"], ["11:00", "13:00"]]}
    )
    assert open_on(calendar, "2026-11-24") == 4 * HOUR


@pytest.mark.parametrize(
    ("zone", "opens", "closes", "since", "until"),
    [
        # spring: from 02:00 to 03:00 there is nothing on the wall
        ("Europe/Berlin", "01:00", "04:00", "2026-03-29T01:00+01:00", "2026-03-29T04:00+02:00"),
        ("Europe/Berlin", "02:30", "04:00", "2026-03-29T03:30+02:00", "2026-03-29T04:00+02:00"),
        ("Europe/Berlin", "01:00", "02:30", "2026-03-29T01:00+01:00", "2026-03-29T03:30+02:00"),
        # autumn: from 02:00 to 03:00 the wall says everything twice
        ("Europe/Berlin", "02:30", "04:00", "2026-10-25T02:30+02:00", "2026-10-25T04:00+01:00"),
        ("Europe/Berlin", "01:00", "02:30", "2026-10-25T01:00+02:00", "2026-10-25T02:30+02:00"),
        # half an hour, both ways
        (
            "Australia/Lord_Howe",
            "02:15",
            "03:00",
            "2026-10-04T02:45+11:00",
            "2026-10-04T03:00+11:00",
        ),
        (
            "Australia/Lord_Howe",
            "01:45",
            "02:30",
            "2026-04-05T01:45+11:00",
            "2026-04-05T02:30+10:30",
        ),
        # a midnight that is not on the wall, and one that is there twice
        ("America/Sao_Paulo", "00:00", "02:00", "2018-11-04T01:00-02:00", "2018-11-04T02:00-02:00"),
        ("America/Sao_Paulo", "22:00", "24:00", "2018-11-03T22:00-03:00", "2018-11-04T01:00-02:00"),
        ("America/Sao_Paulo", "22:00", "24:00", "2018-02-17T22:00-02:00", "2018-02-18T00:00-03:00"),
    ],
)
def test_a_wall_time_in_a_gap_moves_forward_and_a_repeated_one_is_the_first(
    zone: str, opens: str, closes: str, since: str, until: str
) -> None:
    calendar = daily(zone, opens, closes)
    begin, end = at(since), at(until)
    moment = timedelta(microseconds=1)
    assert calendar.due(begin - 3 * HOUR, NONE) == begin
    assert calendar.due(end + HOUR / 4, -moment) == end - moment
    assert calendar.elapsed(begin - HOUR, end + HOUR / 4) == end - begin


@pytest.mark.parametrize(
    ("opens", "closes"), [("02:00", "03:00"), ("02:30", "03:00"), ("02:45", "03:30")]
)
def test_an_interval_that_collapses_in_a_gap_is_empty(opens: str, closes: str) -> None:
    calendar = daily("Europe/Berlin", opens, closes)
    start = at("2026-03-29T00:00+01:00")
    assert calendar.elapsed(start, start + 12 * HOUR) == NONE
    assert calendar.due(start, NONE) == at(f"2026-03-30T{opens}+02:00")


def test_a_day_that_a_zone_left_out_has_no_hours() -> None:
    calendar = hours("Pacific/Apia")  # Friday, December 30, 2011 did not happen
    assert calendar.due(at("2011-12-29T16:00-10:00"), 2 * HOUR) == at("2012-01-02T10:00+14:00")
    assert calendar.elapsed(at("2011-12-29T17:00-10:00"), at("2012-01-02T09:00+14:00")) == NONE


def test_a_shift_into_a_day_that_was_left_out_goes_on_in_the_next() -> None:
    calendar = daily("Pacific/Apia", "22:00", "06:00")
    assert calendar.due(at("2011-12-29T22:00-10:00"), 8 * HOUR) == at("2011-12-31T06:00+14:00")


def test_a_calendar_that_never_opens_has_no_time() -> None:
    never = compile_document({"timezone": "UTC"})
    start = at("2026-11-24T10:00Z")
    assert [never.due(start, target) for target in (HOUR, NONE, -HOUR)] == [None, None, None]
    assert never.elapsed(at("0001-01-01T00:00Z"), at("9999-12-31T23:59Z")) == NONE


def test_a_calendar_may_open_on_a_single_day() -> None:
    once = compile_document(
        {"timezone": "UTC", "date_overrides": {"5000-06-01": [["09:00", "10:00"]]}}
    )
    assert once.due(at("2026-11-24T10:00Z"), NONE) == at("5000-06-01T09:00Z")
    assert once.due(at("2026-11-24T10:00Z"), HOUR) == at("5000-06-01T10:00Z")
    assert once.due(at("2026-11-24T10:00Z"), 2 * HOUR) is None
    assert once.due(at("9000-01-01T00:00Z"), -HOUR) == at("5000-06-01T09:00Z")


def test_what_lies_beyond_all_years_is_never_due() -> None:
    start = at("2026-11-24T10:00Z")
    for calendar in (ALWAYS, hours()):
        assert calendar.due(start, timedelta.max) is None
        assert calendar.due(start, timedelta.min) is None
    assert hours("Asia/Tokyo").due(at("9999-12-31T23:59Z"), NONE) is None
    assert hours("America/New_York").due(at("0001-01-01T00:00Z"), -HOUR) is None


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Africa/Casablanca", "Asia/Gaza", "UTC"])
def test_far_years_are_worked_out_by_their_kind(zone: str) -> None:
    calendar = hours(zone, annual_holidays=["12-25", "02-29"], holidays=["2500-01-01"])
    for year in (1750, 2099, 2101, 2400, 2499, 2500, 2501, 2503, 8000):
        start, stop = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
        days = [start + timedelta(days=count) for count in range((stop - start).days + 1)]
        one_by_one = sum((calendar.elapsed(*each) for each in pairwise(days)), NONE)
        assert calendar.elapsed(start, stop) == one_by_one
        far = calendar.elapsed(at("1700-01-01T00:00Z"), stop)
        assert far - calendar.elapsed(at("1700-01-01T00:00Z"), start) == one_by_one
        assert calendar.due(stop, -far) == calendar.due(at("1700-01-01T00:00Z"), NONE)
        fresh = hours(zone, annual_holidays=["12-25", "02-29"], holidays=["2500-01-01"])
        assert fresh.elapsed(start, stop) == one_by_one


def test_more_years_than_are_kept_change_nothing() -> None:
    calendar = hours()
    every = [calendar.due(datetime(year, 6, 1, tzinfo=UTC), HOUR) for year in range(1900, 2100)]
    again = [calendar.due(datetime(year, 6, 1, tzinfo=UTC), HOUR) for year in range(1900, 2100)]
    assert every == again


def test_a_stored_document_gives_the_same_hours() -> None:
    document = {"timezone": "UTC", "weekly": {"tue": OFFICE}, "date_overrides": {"2026-11-24": []}}
    calendar = Calendar.model_validate(document)
    stored = calendar.model_dump(mode="json", exclude_defaults=True)
    start = at("2026-11-23T10:00Z")
    assert compile_calendar(calendar).due(start, HOUR) == compile_document(stored).due(start, HOUR)
