"""Which texts are times; tests/integration shows that PostgreSQL holds each of them."""

from calendar import isleap
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.times import RFC3339, Instant, Time

text: TypeAdapter[str] = TypeAdapter(Time)
instant: TypeAdapter[datetime] = TypeAdapter(Instant)


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("2026-11-24T09:30:00Z", "2026-11-24T09:30:00+00:00"),
        ("2026-11-24T09:30:00+01:00", "2026-11-24T08:30:00+00:00"),
        ("2026-11-24T09:30:00-00:00", "2026-11-24T09:30:00+00:00"),
        ("2026-11-24 09:30:00z", "2026-11-24T09:30:00+00:00"),
        ("2026-11-24t09:30:00.5Z", "2026-11-24T09:30:00.500000+00:00"),
        ("2026-11-24T09:30:00.123456789Z", "2026-11-24T09:30:00.123456+00:00"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00+00:00"),
        ("2000-02-29T00:00:00Z", "2000-02-29T00:00:00+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        ("2017-01-01T08:59:60.000+09:00", "2017-01-01T00:00:00+00:00"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999+00:00"),
        ("2026-11-24T09:30:00+15:59", "2026-11-23T17:31:00+00:00"),
    ],
)
def test_a_time_is_kept_as_sent_and_understood(sent: str, meant: str) -> None:
    assert text.validate_python(f" {sent}\n") == sent
    assert instant.validate_python(sent).isoformat() == meant


@pytest.mark.parametrize(
    "sent",
    [
        "2026-11-24T09:30:00",  # naive
        "2026-11-24",
        "2026-11-24T09:30Z",
        "2026-11-24T09:30:00+0100",
        "2026-11-24T09:30:00+01",
        "2026-11-24T09:30:00.Z",
        "2026-11-24T09:30:00,5Z",
        "2026-11-24T09:30:00.1234567890Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T09:60:00Z",
        "2026-11-24T09:30:61Z",
        "2016-12-31T23:59:60.5Z",
        "2026-11-31T09:30:00Z",
        "2026-02-29T09:30:00Z",
        "1900-02-29T09:30:00Z",
        "2026-13-01T09:30:00Z",
        "2026-00-01T09:30:00Z",
        "2026-11-00T09:30:00Z",
        "0000-01-01T00:00:00Z",
        "0000-02-29T00:00:00Z",
        "2026-11-24T09:30:00+16:00",  # PostgreSQL has no such offset
        "0001-01-01T00:00:00+00:01",  # before year 1 in UTC
        "9999-12-31T23:59:59-00:01",  # after year 9999 in UTC
        "9999-12-31T23:59:60Z",
        "9999-12-31T23:59:59.9999999Z",  # PostgreSQL would round it up
        "٢٠٢٦-11-24T09:30:00Z",
        "1764000000",
        "now",
        "",
    ],
)
def test_another_text_is_no_time(sent: str) -> None:
    for adapter in (text, instant):
        with pytest.raises(ValidationError, match="should match pattern"):
            adapter.validate_python(sent)


@pytest.mark.parametrize("sent", [1764000000, 1764000000.5, True, None, ["2026-11-24T09:30:00Z"]])
def test_only_text_is_a_time(sent: object) -> None:
    for adapter in (text, instant):
        with pytest.raises(ValidationError, match="should be a valid string"):
            adapter.validate_python(sent)


@given(st.from_regex(RFC3339, fullmatch=True))
def test_every_time_that_is_accepted_is_an_instant(sent: str) -> None:
    moment = instant.validate_python(sent)
    assert moment.tzinfo is UTC


@given(st.integers(1, 9999))
def test_the_29th_of_february_exists_in_leap_years_alone(year: int) -> None:
    try:
        text.validate_python(f"{year:04}-02-29T00:00:00Z")
    except ValidationError:
        assert not isleap(year)
    else:
        assert isleap(year)
