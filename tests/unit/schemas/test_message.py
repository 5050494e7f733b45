from typing import Any

import pytest

from schemas.forms import model_of
from schemas.message import Message, has_unknown_fields, unknown_fields
from schemas.party_changed import CustomerChanged, PartnerChanged
from schemas.ticket_change_requested import CHANGES, TicketChangeRequested
from schemas.ticket_requested import TicketCalled, TicketRequested
from tests.unit.schemas.documents import accepted, attachment, change, customer, request

INBOUND: list[type[Message]] = [
    TicketRequested,
    TicketCalled,
    CustomerChanged,
    PartnerChanged,
    *CHANGES.values(),
]


@pytest.mark.parametrize(
    ("document", "paths"),
    [
        (request(), ()),
        (request(actor={"type": "tenant"}, attachments=[attachment()]), ()),
        (request(context={"any": {"thing": 1}}), ()),
        (request(titel="x", Title=None), ("titel", "Title")),
        (request(actor={"type": "tenant", "name": "Eve"}), ("actor.name",)),
        (
            request(x=1, attachments=[attachment(), attachment(colour={"a": 1}, y=2)]),
            ("x", "attachments[1].colour", "attachments[1].y"),
        ),
    ],
    ids=["none", "nested", "context", "top", "actor", "attachments"],
)
def test_unknown_fields_are_ignored_and_named(
    document: dict[str, Any], paths: tuple[str, ...]
) -> None:
    message = accepted(document, TicketRequested)
    assert unknown_fields(message) == paths
    assert has_unknown_fields(message) is bool(paths)


def test_unknown_fields_of_a_change_are_named() -> None:
    document = change("set_fields", fields={"ticket_type": None, "colour": 1}, y=2)
    assert unknown_fields(accepted(document, TicketChangeRequested)) == ("y", "fields.colour")


def test_unknown_fields_of_a_customer_are_named() -> None:
    assert unknown_fields(accepted(customer(id=1, vip=True), CustomerChanged)) == ("id", "vip")


def test_an_unknown_field_may_hold_what_no_database_holds() -> None:
    message = accepted(request(x="\0\ud800", y=[1e308]), TicketRequested)
    assert unknown_fields(message) == ("x", "y")


def test_only_known_fields_are_kept() -> None:
    message = accepted(request(attachments=[attachment(colour="red")]), TicketRequested)
    assert set(message.attachments[0].known()) == {"name", "url", "content_type", "size"}


@pytest.mark.parametrize("model", INBOUND, ids=[model.__name__ for model in INBOUND])
def test_every_field_that_holds_messages_is_listed(model: type[Message]) -> None:
    """Or the unknown fields in there would not be counted, nor looked through for NaN."""
    holding = {name for name, field in model.model_fields.items() if model_of(field) is not None}
    assert set(model.nested) == holding


def test_a_message_does_not_change() -> None:
    message = accepted(request(), TicketRequested)
    with pytest.raises(ValueError, match="frozen"):
        message.title = "Another one"  # type: ignore[misc]  # that it can't be done is the test
