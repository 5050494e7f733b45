"""What is left of a party after all of its records."""

import json
from typing import Any

import pytest

from consumer.announcements import Announcements
from handlers.entries import TopicRole
from handlers.record import StoredRecord

CUSTOMERS = TopicRole("customer")
ANNA = "11111111-1111-4111-8111-111111111111"
BERT = "22222222-2222-4222-8222-222222222222"
DAY = "2026-01-0{}T00:00:00Z"
LATE_MS = 1_800_000_000_000


def heard(*values: dict[str, Any] | bytes | None, role: TopicRole = CUSTOMERS) -> Announcements:
    """All about Anna, unless they say otherwise. None is a tombstone."""
    announced = Announcements()
    for offset, value in enumerate(values):
        if isinstance(value, dict):
            document = {"customer_id": ANNA, "tenant_id": "north"} | value
            raw: bytes | None = json.dumps(document).encode()
        else:
            raw = value
        record = StoredRecord("c", 0, offset, LATE_MS, ANNA.encode(), raw, ())
        announced.take(record, role, 10_000)
    return announced


def states(announced: Announcements) -> list[list[str | None]]:
    """Of each party, the names of what is to be applied; None for a tombstone."""
    return [
        [None if change.state is None else change.state.name for change in changes]
        for changes in announced.in_order()
    ]


@pytest.mark.parametrize(
    ("days", "name"), [((1, 2), "second"), ((2, 1), "first"), ((1, 1), "second")]
)
def test_the_newer_counts_and_of_equals_the_later(days: tuple[int, int], name: str) -> None:
    first, second = days
    announced = heard(
        {"name": "first", "updated_at": DAY.format(first)},
        {"name": "second", "updated_at": DAY.format(second)},
    )
    assert states(announced) == [[name]]


def test_a_tombstone_comes_after_what_it_ends() -> None:
    older = {"name": "Anna", "updated_at": DAY.format(1)}
    assert states(heard(older, None)) == [["Anna", None]]
    assert states(heard(None)) == [[None]]
    back = {"name": "back", "updated_at": "2100-01-01T00:00:00Z"}
    assert states(heard(older, None, back)) == [["back"]]


def test_an_id_stays_with_its_tenant() -> None:
    announced = heard(
        {"name": "ours", "updated_at": DAY.format(1)},
        {"name": "theirs", "tenant_id": "south", "updated_at": DAY.format(5)},
    )
    assert states(announced) == [["ours"]]
    assert (announced.moved, announced.unreadable) == (1, 0)
    assert announced.problems == [f"c:0:1: gives customer {ANNA} of north to another tenant"]


def test_what_can_not_be_read_is_counted_and_the_first_are_named() -> None:
    announced = heard(*[b"?"] * 30, {"name": "Anna"})
    assert (announced.records, announced.unreadable) == (31, 30)
    assert len(announced.problems) == 20
    assert announced.problems[0].startswith("c:0:0: ")
    assert states(announced) == [["Anna"]]


def test_who_changed_last_is_applied_last() -> None:
    announced = heard(
        {"name": "Anna", "updated_at": DAY.format(2)},
        {"name": "Bert", "customer_id": BERT, "updated_at": DAY.format(1)},
    )
    assert states(announced) == [["Bert"], ["Anna"]]
    assert announced.parties("customer") == 2
    assert announced.knows(("customer", BERT))
    assert not announced.knows(("partner", BERT))
