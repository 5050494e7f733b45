"""When a visit is, as a context has it."""

from datetime import UTC, datetime

import pytest

from handlers.sla.waiting import scheduled_visit


@pytest.mark.parametrize(
    ("given", "visit"),
    [
        ("2026-03-09T09:00:00+01:00", datetime(2026, 3, 9, 8, tzinfo=UTC)),
        (" 2026-03-09t08:00:00z ", datetime(2026, 3, 9, 8, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999Z", datetime.max.replace(tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime.min.replace(tzinfo=UTC)),
    ],
)
def test_it_is_read_as_every_other_time(given: str, visit: datetime) -> None:
    assert scheduled_visit({"scheduled_visit": given}) == visit


@pytest.mark.parametrize(
    "given",
    [
        *(None, 7, True, {}, [], "", "tomorrow", "2026-03-09", "2026-03-09T09:00:00"),
        *("20260309T090000Z", "2026-W11-1T09:00:00Z", "9999-12-31T23:59:59-05:00"),
        *("0001-01-01T00:00:00+05:00", "2026-02-30T09:00:00Z", "x" * 30_000),
    ],
)
def test_what_is_no_rfc_3339_time_is_no_visit(given: object) -> None:
    assert scheduled_visit({"scheduled_visit": given}) is None


def test_a_context_without_one_has_none() -> None:
    assert scheduled_visit({}) is None
