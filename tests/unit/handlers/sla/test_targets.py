"""The default targets of the contract (DESIGN 1.6), in hours."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from handlers.sla.targets import due_dates
from schemas.vocabulary import Priority

HOURS = {
    Priority.URGENT: (1, 8),
    Priority.HIGH: (4, 24),
    Priority.NORMAL: (24, 72),
    Priority.LOW: (48, 168),
}


@pytest.mark.parametrize("priority", Priority)
def test_every_priority_has_its_hours(priority: Priority) -> None:
    created_at = datetime(2026, 3, 28, 23, 30, 0, 1, tzinfo=UTC)  # a night with a change of clocks
    due = due_dates(created_at)[priority]
    response, resolution = HOURS[priority]
    assert datetime.fromisoformat(due.first_response) - created_at == timedelta(hours=response)
    assert datetime.fromisoformat(due.resolution) - created_at == timedelta(hours=resolution)


def test_dates_are_utc_to_the_microsecond() -> None:
    due = due_dates(datetime(2026, 3, 1, 12, tzinfo=UTC))[Priority.URGENT]
    assert due.first_response == "2026-03-01T13:00:00.000000+00:00"
    assert due.resolution == "2026-03-01T20:00:00.000000+00:00"


def test_another_zone_names_the_same_instant() -> None:
    east = datetime(2026, 3, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    due = due_dates(east)[Priority.URGENT]
    assert datetime.fromisoformat(due.first_response) == datetime(2026, 3, 1, 13, tzinfo=UTC)
