"""Questions about business time on lines, and their answers."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.sla_lines import answer, as_json, due, elapsed

OFFICE = {"timezone": "Europe/Berlin", "weekly": {"tue": [["09:00", "12:00"], ["13:00", "17:00"]]}}
START = "2026-11-24T09:00:00+01:00"
TIME = "an RFC 3339 time with an offset, such as 2026-11-24T09:30:00+01:00"
ABSENT = object()


def asked_due(**fields: Any) -> Any:  # noqa: ANN401  any JSON value
    return ask(due, {"id": 7, "start": START, "target_seconds": 3600, **fields})


def asked_elapsed(**fields: Any) -> Any:  # noqa: ANN401  any JSON value
    return ask(elapsed, {"id": "a", "start": START, "stop": "2026-11-24T20:00:00Z", **fields})


def ask(what: Any, document: dict[str, Any]) -> Any:  # noqa: ANN401  any JSON value
    line = {name: value for name, value in document.items() if value is not ABSENT}
    return json.loads(as_json(answer(what, json.dumps(line).encode())))


def test_a_due_time_is_in_utc() -> None:
    assert asked_due() == {"id": 7, "due": "2026-11-24T09:00:00+00:00"}
    assert asked_due(calendar=None, pauses=None) == asked_due()
    four_hours = asked_due(calendar=OFFICE, target_seconds=4 * 3600)
    assert four_hours["due"] == "2026-11-24T13:00:00+00:00"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (0, "2026-11-24T08:00:00+00:00"),
        (-60, "2026-11-24T07:59:00+00:00"),
        (0.5, "2026-11-24T08:00:00.500000+00:00"),
        (0.000001, "2026-11-24T08:00:00.000001+00:00"),
        (1e-9, "2026-11-24T08:00:00+00:00"),
        (1e15, None),
        (-1e15, None),
        (10**300, None),
        (1.7e308, None),
    ],
)
def test_a_target_is_any_number_of_seconds(target: float, expected: str | None) -> None:
    assert asked_due(target_seconds=target)["due"] == expected


def test_a_pause_stops_the_clock_and_an_open_one_for_good() -> None:
    pause = ["2026-11-24T08:30:00Z", "2026-11-24T08:45:00Z"]
    assert asked_due(pauses=[pause])["due"] == "2026-11-24T09:15:00+00:00"
    assert asked_due(pauses=[pause, [pause[0], None]])["due"] is None
    assert asked_elapsed(pauses=[[pause[0], None]])["elapsed_seconds"] == 1800


@pytest.mark.parametrize(
    ("stop", "seconds"),
    [
        ("2026-11-24T12:00:00Z", 4 * 3600),
        ("2026-11-24T08:00:00.25Z", 0.25),
        ("2026-11-24T08:00:00.000001Z", 0.000001),
        ("2026-11-23T08:00:00Z", 0),
    ],
)
def test_elapsed_seconds_are_whole_where_they_can_be(stop: str, seconds: float) -> None:
    found = asked_elapsed(stop=stop)
    assert found == {"id": "a", "elapsed_seconds": seconds}
    assert type(found["elapsed_seconds"]) is type(seconds)


def test_a_calendar_without_hours_gives_null_and_nothing() -> None:
    assert asked_due(calendar={"timezone": "UTC", "weekly": {}})["due"] is None
    assert asked_elapsed(calendar={"timezone": "UTC"})["elapsed_seconds"] == 0


def test_one_file_serves_both_commands() -> None:
    line = {"stop": "2026-11-24T20:00:00Z", "target_seconds": 60, "comment": "ours"}
    assert asked_due(**line)["due"] == "2026-11-24T08:01:00+00:00"
    assert asked_elapsed(**line)["elapsed_seconds"] == 12 * 3600


@pytest.mark.parametrize("name", ["a", "", 0, 12, 1.5, "ü\ud800", 10**300, None])
def test_an_answer_has_the_id_of_its_line(name: object) -> None:
    assert asked_due(id=name)["id"] == name
    assert asked_due(id=name, start=5)["id"] == name


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"start": ABSENT}, f"start: is missing; expected {TIME}"),
        ({"start": None}, f"start: is null; expected {TIME}"),
        ({"start": "2026-11-24T09:00:00"}, f"start: is '2026-11-24T09:00:00'; expected {TIME}"),
        (
            {"start": "0001-01-01T00:00:00+05:00"},
            "start: is '0001-01-01T00:00:00+05:00'; expected",
        ),
        ({"target_seconds": ABSENT}, "target_seconds: is missing; expected a number of seconds"),
        ({"target_seconds": "60"}, "target_seconds: is '60'; expected a number of seconds"),
        ({"target_seconds": True}, "target_seconds: is true; expected a number of seconds"),
        ({"pauses": {}}, "pauses: is an object; expected a list whose entries are each a pair of"),
        ({"pauses": [START]}, f"pauses[0]: is '{START}'; expected a pair of RFC 3339 times"),
        ({"pauses": [[START]]}, f"pauses[0][1]: is missing; expected {TIME}"),
        ({"pauses": [[None, START]]}, f"pauses[0][0]: is null; expected {TIME}"),
        ({"calendar": "office"}, "calendar: is 'office'; expected an object with timezone and"),
        ({"calendar": {}}, "calendar.timezone: is missing; expected the name of an IANA time zone"),
        (
            {"calendar": {**OFFICE, "weekly": {"tue": [["09:00", "25:00"]]}}},
            "calendar.weekly.tue[0][1]: is '25:00'; expected a time of day as HH:MM",
        ),
        (
            {"calendar": {**OFFICE, "timezone": "Europe/Berln"}},
            "calendar.timezone: is 'Europe/Berln'; expected the name of an IANA time zone",
        ),
    ],
)
def test_a_line_that_can_t_be_answered_says_why(fields: dict[str, Any], error: str) -> None:
    found = asked_due(**fields)
    assert found.keys() == {"id", "error"}
    assert found["id"] == 7
    assert found["error"].startswith(error)


def test_a_zone_that_is_none_is_answered_with_the_nearest_one() -> None:
    found = asked_due(calendar={**OFFICE, "timezone": "Europe/Berln"})
    assert found["error"].endswith("; did you mean Europe/Berlin?")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"{", "the value is not JSON"),
        (b"[1, 2]", "the line is a list; expected a JSON object"),
        (b"null", "the line is null"),
        (b'{"id": 1, "start": NaN}', "the value holds NaN"),
        (b"[" * 5_000, "the value is nested deeper than 100 levels"),
        (b'{"id": "\xff"}', "the value is not UTF-8"),
        (b'\xef\xbb\xbf{"id": 1}', "the value starts with a byte order mark"),
        (b'{"id": {"a": 1}}', "id: is an object; expected text or a number"),
        (b'{"id": 1e999}', "id: is a number; expected text or a number"),
        (b'{"id": true}', "id: is true; expected text or a number"),
    ],
)
def test_a_line_that_tells_no_id_is_answered_without_one(line: bytes, error: str) -> None:
    found = answer(due, line)
    assert found["id"] is None
    assert str(found["error"]).startswith(error)


def test_a_line_may_be_long() -> None:
    text = "x" * 1_000_000
    assert asked_due(id=text)["id"] == text
    assert len(asked_due(start=text)["error"]) < 200
    many = [[START, START]] * 20_000
    assert asked_due(pauses=many)["due"] == "2026-11-24T09:00:00+00:00"


times = st.datetimes().map(lambda found: f"{found.isoformat()}Z")
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | times,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
zones = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Tokyo", "America/New_York"])
calendars = st.fixed_dictionaries(
    {"timezone": zones | junk},
    optional={"weekly": st.just({"mon": [["22:00", "06:00"]]}) | junk, "holidays": junk},
)


@given(
    st.fixed_dictionaries(
        {
            "start": times | junk,
            "target_seconds": st.integers() | st.floats() | junk,
            "stop": times | junk,
            "calendar": calendars | junk,
            "pauses": st.lists(st.tuples(times, st.none() | times), max_size=3) | junk,
        },
        optional={"id": junk},
    )
)
def test_no_line_breaks_anything(document: dict[str, Any]) -> None:
    line = json.dumps(document).encode()
    for what, field in ((due, "due"), (elapsed, "elapsed_seconds")):
        found = json.loads(as_json(answer(what, line)))
        assert found.keys() in ({"id", field}, {"id", "error"})
