"""Durations as people write them in a policy."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.durations import (
    LONGEST,
    NoDuration,
    duration_text,
    offset_text,
    parsed,
    parsed_offset,
)

durations = st.integers(1, LONGEST // timedelta(seconds=1)).map(lambda n: timedelta(seconds=n))


@pytest.mark.parametrize(
    ("text", "seconds", "shown"),
    [
        ("90s", 90, "1m30s"),
        ("15m", 900, "15m"),
        ("4h", 14_400, "4h"),
        ("3h30m", 12_600, "3h30m"),
        ("1h 30m", 5_400, "1h30m"),
        ("210m", 12_600, "3h30m"),
        ("0h05m00s", 300, "5m"),
        ("24h", 86_400, "24h"),
        ("1s", 1, "1s"),
        ("87600h", 315_360_000, "87600h"),
    ],
)
def test_hours_minutes_and_seconds_are_read_and_shown(text: str, seconds: int, shown: str) -> None:
    assert parsed(text) == timedelta(seconds=seconds)
    assert duration_text(parsed(text)) == shown


@pytest.mark.parametrize(
    "text",
    ["", "h", "15", "15 min", "m15", "30m1h", "1h1h", "-1h", "1.5h", "1H", "٣h", "1h\n", "9" * 400],
)
def test_what_is_no_duration_is_told_without_a_reason(text: str) -> None:
    with pytest.raises(NoDuration, match=r"^$"):
        parsed(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2d", "has days, whose business hours differ"),
        ("1d4h", "has days, whose business hours differ"),
        ("2 days", "has days, whose business hours differ"),
        ("1w", "has days, whose business hours differ"),
        ("0s", "is too short"),
        ("87600h1s", "is too long"),
        ("999999999h", "is too long"),
    ],
)
def test_a_duration_that_may_not_stand_says_why(text: str, problem: str) -> None:
    with pytest.raises(NoDuration, match=f"^{problem}$"):
        parsed(text)


@given(durations)
def test_what_is_shown_reads_as_it_was(duration: timedelta) -> None:
    assert parsed(duration_text(duration)) == duration
    for offset in (duration, -duration, timedelta()):
        assert parsed_offset(offset_text(offset)) == offset


@pytest.mark.parametrize(
    ("text", "minutes", "shown"),
    [
        ("due", 0, "due"),
        (" due ", 0, "due"),
        ("30m before due", -30, "30m before due"),
        ("90m  after\tdue", 90, "1h30m after due"),
        ("1h 30m before due", -90, "1h30m before due"),
    ],
)
def test_times_are_told_from_the_due_time_on(text: str, minutes: int, shown: str) -> None:
    assert parsed_offset(text) == timedelta(minutes=minutes)
    assert offset_text(parsed_offset(text)) == shown


@pytest.mark.parametrize(
    "text", ["", "30m", "before due", "30m before", "before 30m due", "30m due", "0s after due"]
)
def test_what_is_no_time_from_the_due_time_on_is_refused(text: str) -> None:
    with pytest.raises(NoDuration):
        parsed_offset(text)


@given(st.text("0123456789hmsdw -+.\n", max_size=12))
def test_whatever_is_written_it_is_a_duration_or_none(text: str) -> None:
    try:
        found = parsed(text)
    except NoDuration:
        return
    assert timedelta(seconds=1) <= found <= LONGEST
