"""Dead letters are grouped by what they died of, whatever value each had, and by where from."""

from datetime import UTC, datetime, timedelta

import pytest

from consumer.letter_groups import by_cause, by_source, shape_of
from db.letter_search import Alike

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def alike(number: int, **fields: object) -> Alike:
    found = Alike(
        topic="ticket.requested",
        error_class="WrongValue",
        error_message=f"priority: is '{number}'; expected one of low, normal, high, urgent",
        source="portal",
        letters=1,
        first_at=NOON + timedelta(minutes=number),
        last_at=NOON + timedelta(minutes=number),
        example=f"ticket.requested:0:{number}",
        size=10,
    )
    return found._replace(**fields)  # type: ignore[arg-type]  # fields of Alike


@pytest.mark.parametrize(
    ("message", "shape"),
    [
        (
            "title: is 2 characters long; expected text of 3 to 255 characters",
            "title: is N characters long; expected text of 3 to 255 characters",
        ),
        (
            "title: is 70,000 characters long; expected text of 3 to 255 characters",
            "title: is N characters long; expected text of 3 to 255 characters",
        ),
        (
            "attachments[12].url: is text of another form; expected a URL",
            "attachments[*].url: is text of another form; expected a URL",
        ),
        ("priority: is 'it\\'s'; expected low or high", "priority: is …; expected low or high"),
        ('priority: is "it\'s"; expected low or high', "priority: is …; expected low or high"),
        (
            "tenant_id: customer_id 11111111-2222-3333-4444-555555555555 belongs to another tenant",
            "tenant_id: customer_id … belongs to another tenant",
        ),
        ("rating: is the number -7.5; expected 1 to 5", "rating: is the number N; expected 1 to 5"),
        (
            "value: is not JSON (Expecting value at character 17); expected JSON",
            "value: is not JSON (Expecting value at character N); expected JSON",
        ),
        (
            "value: can't be handled (SQLSTATE 22021); expected a request",
            "value: can't be handled (SQLSTATE 22021); expected a request",
        ),
        (
            "value: is UTF-16, by its zero bytes; expected JSON (RFC 8259) in UTF-8",
            "value: is UTF-16, by its zero bytes; expected JSON (RFC 8259) in UTF-8",
        ),
        ("no form at all", "no form at all"),
        ("", ""),
    ],
)
def test_a_message_loses_its_values_and_keeps_its_rule(message: str, shape: str) -> None:
    assert shape_of(message) == shape
    assert shape_of(shape) == shape


def test_causes_gather_what_differs_in_values_alone() -> None:
    causes = by_cause([alike(1), alike(3, letters=5), alike(2), alike(9, topic="other")])
    assert [(cause.topic, cause.count) for cause in causes] == [
        ("ticket.requested", 7),
        ("other", 1),
    ]
    first = causes[0]
    assert first.shape == "priority: is …; expected one of low, normal, high, urgent"
    assert first.first_at == NOON + timedelta(minutes=1)
    assert first.last_at == NOON + timedelta(minutes=3)
    assert first.example == "ticket.requested:0:3"


def test_other_classes_and_other_fields_are_other_causes() -> None:
    other = "status: is 'x'; expected one of low, normal, high, urgent"
    found = by_cause([alike(1), alike(2, error_class="Missing"), alike(3, error_message=other)])
    assert len(found) == 3


def test_sources_gather_over_all_causes() -> None:
    found = by_source([alike(1), alike(2, error_class="NotJson", letters=3), alike(3, source=None)])
    assert [(origin.source, origin.count, origin.example) for origin in found] == [
        ("portal", 4, "ticket.requested:0:2"),
        (None, 1, "ticket.requested:0:3"),
    ]


def test_nothing_has_no_groups() -> None:
    assert by_cause([]) == []
    assert by_source([]) == []
