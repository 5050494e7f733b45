"""A calendar of business time: what it may say, and what is told of one that may not stand."""

from typing import Any

import pytest

from schemas.calendar import Calendar
from schemas.policy import Policy
from schemas.policy_check import judge

WHOLE = {
    "timezone": "Europe/Berlin",
    "weekly": {"mon": [["09:00", "12:00"], ["13:00", "24:00"]], "fri": [["22:00:30", "06:00"]]},
    "holidays": ["2026-12-25"],
    "annual_holidays": ["12-25", "02-29"],
    "date_overrides": {"2026-12-24": [["09:00", "12:00"]], "2026-12-31": []},
}
TIME = "a time of day as HH:MM or HH:MM:SS from 00:00 to"


def told(**fields: Any) -> list[str]:  # noqa: ANN401  any JSON value
    judged = judge({"calendars": {"office": {"timezone": "UTC", **fields}}})
    assert isinstance(judged, list), judged
    return [fault.message.removeprefix("calendars.office.") for fault in judged]


def test_what_is_kept_of_a_calendar_is_what_it_says() -> None:
    calendar = Calendar.model_validate(WHOLE)
    kept = calendar.model_dump(mode="json", exclude_defaults=True)
    assert kept == WHOLE
    assert Calendar.model_validate(kept) == calendar


def test_only_the_zone_is_needed_and_nothing_is_as_good_as_null() -> None:
    empty = dict.fromkeys(("weekly", "holidays", "annual_holidays", "date_overrides"))
    assert Calendar.model_validate({"timezone": "UTC", **empty}) == Calendar(timezone="UTC")
    closed = Calendar.model_validate({"timezone": "UTC", "weekly": {"mon": None}})
    assert closed.weekly.mon == ()


def test_a_policy_holds_calendars_under_names() -> None:
    judged = judge({"calendars": {"office": WHOLE}})
    assert isinstance(judged, Policy)
    assert judged.calendars["office"].timezone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("zone", "problem"),
    [
        ("europe/berlin", "; did you mean Europe/Berlin?"),
        ("Europe/Berln", "; did you mean Europe/Berlin?"),
        ("CEST or so", ""),
        ("localtime", ""),
        ("../../etc/passwd", ""),
    ],
)
def test_a_zone_is_one_that_everybody_knows(zone: str, problem: str) -> None:
    (sentence,) = told(timezone=zone)
    form = "the name of an IANA time zone such as Europe/Berlin"
    assert sentence.startswith(f"timezone: is {zone!r}; expected {form}{problem}")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"timezone": None}, "timezone: is null; expected the name of an IANA time zone"),
        (
            {"weekly": {"mon": [["09:00", "25:00"]]}},
            f"weekly.mon[0][1]: is '25:00'; expected {TIME}",
        ),
        (
            {"weekly": {"mon": [["24:00", "09:00"]]}},
            f"weekly.mon[0][0]: is '24:00'; expected {TIME}",
        ),
        ({"weekly": {"mon": [["9:00", "12:00"]]}}, f"weekly.mon[0][0]: is '9:00'; expected {TIME}"),
        (
            {"weekly": {"mon": [["09:00", "24:01"]]}},
            f"weekly.mon[0][1]: is '24:01'; expected {TIME}",
        ),
        ({"weekly": {"mon": [["09:00"]]}}, f"weekly.mon[0][1]: is missing; expected {TIME}"),
        ({"weekly": {"mon": [9]}}, "weekly.mon[0]: is the number 9; expected a pair"),
        (
            {"weekly": {"mon": "09:00-12:00"}},
            "weekly.mon: is '09:00-12:00'; expected a list of pairs",
        ),
        ({"weekly": {"Mon": []}}, "weekly.Mon: is no field here; expected one of mon, tue"),
        ({"weekly": {"mon": [["09:00", "10:00"]] * 101}}, "weekly.mon: has 101 entries; expected"),
        ({"weekdays": {}}, "weekdays: is no field here; expected one of timezone, weekly"),
        ({"holidays": ["2026-02-29"]}, "holidays[0]: is '2026-02-29'"),
        (
            {"holidays": ["25.12.2026"]},
            "holidays[0]: is '25.12.2026'; expected a date as YYYY-MM-DD",
        ),
        ({"annual_holidays": ["02-30"]}, "annual_holidays[0]: is '02-30'"),
        (
            {"annual_holidays": ["12-25", 5]},
            "annual_holidays[1]: is the number 5; expected a day of",
        ),
        (
            {"date_overrides": {"tomorrow": []}},
            "date_overrides.tomorrow: is 'tomorrow'; expected an",
        ),
        (
            {"date_overrides": {"2026-12-24": [["a", "12:00"]]}},
            "date_overrides.2026-12-24[0][0]: is 'a'; expected ",
        ),
    ],
)
def test_a_fault_is_told_with_its_place_and_what_is_accepted(
    fields: dict[str, Any], sentence: str
) -> None:
    (found,) = told(**fields)
    assert found.startswith(sentence)
