"""Times as operators write and read them."""

from datetime import UTC, datetime, timedelta

import pytest

from consumer.cli.moments import (
    UnusableTime,
    age,
    parse_time,
    shown,
    shown_ms,
    span,
    stamp,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("2H", timedelta(hours=2)),
        (" 3 d ", timedelta(days=3)),
        ("1w", timedelta(weeks=1)),
        ("0s", timedelta()),
    ],
)
def test_an_age_counts_back_from_now(text: str, ago: timedelta) -> None:
    assert parse_time(text, NOW) == NOW - ago


@pytest.mark.parametrize("text", ["2026-03-01T12:00:00Z", "2026-03-01T13:00:00+01:00"])
def test_a_time_with_an_offset_becomes_utc(text: str) -> None:
    assert parse_time(text, NOW) == NOW
    assert parse_time(text, NOW).tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2026-03-01T12:00:00", "has no offset from UTC"),
        ("2026-03-01", "has no offset from UTC"),
        ("yesterday", "is not a time"),
        ("2 hours", "is not a time"),
        ("", "is not a time"),
        ("-2h", "is not a time"),
        ("99999999999d", "is too long ago"),
        ("0001-01-01T00:00:00+01:00", "is too long ago"),
        ("9999-12-31T23:59:59-01:00", "is too far ahead"),
    ],
)
def test_any_other_time_is_refused_with_the_accepted_form(text: str, problem: str) -> None:
    with pytest.raises(UnusableTime, match=problem) as refused:
        parse_time(text, NOW)
    assert "2h or 3d" in str(refused.value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0s"),
        (59.9, "59s"),
        (60, "1m"),
        (3_599, "59m"),
        (3_600, "1h 00m"),
        (86_399, "23h 59m"),
        (86_400 + 7_200, "1d 2h"),
        (21 * 86_400, "21d"),
    ],
)
def test_a_span_has_two_units_at_most(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_a_moment_is_shown_in_utc_with_its_age() -> None:
    moment = datetime.fromisoformat("2026-03-01T11:00:00+02:00")
    assert stamp(moment) == "2026-03-01T09:00:00Z"
    assert shown(moment, NOW) == "2026-03-01T09:00:00Z (3h 00m ago)"
    assert age(NOW + timedelta(minutes=5), NOW) == "in 5m"
    assert shown(None, NOW) == "-"


def test_a_timestamp_that_is_no_time_is_shown_as_its_number() -> None:
    assert shown_ms(1_772_362_800_000, NOW) == "2026-03-01T11:00:00Z (1h 00m ago)"
    for odd in (2**62, -(2**62), 2**63 - 1):
        assert shown_ms(odd, NOW) == f"{odd} ms since 1970, which is no time"
