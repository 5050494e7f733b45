import pytest
from pydantic import BaseModel

from schemas.catalogue import TOPICS
from schemas.fact import Fact
from schemas.forms import Step, accepted_form, fields_on_the_wire, form_of, is_nullable, model_of
from schemas.message import Message
from schemas.party_changed import CustomerChanged
from schemas.ticket_change_requested import CHANGES, Assign, Escalate
from schemas.ticket_requested import TicketRequested


def models() -> list[type[BaseModel]]:
    """All that stands on the wire, with the objects inside."""
    found: list[type[BaseModel]] = [topic.model for topic in TOPICS]
    found += CHANGES.values()
    for model in found:
        for field in model.model_fields.values():
            inner = model_of(field)
            if inner is not None and inner not in found:
                found.append(inner)
    return found


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_every_field_says_what_it_accepts(model: type[BaseModel]) -> None:
    assert issubclass(model, Message | Fact)
    for name, field in model.model_fields.items():
        is_tag = model in CHANGES.values() and name == "change"  # whose form all changes make up
        assert is_tag or form_of(field) != "a JSON object", name


@pytest.mark.parametrize(
    ("model", "path", "form"),
    [
        (TicketRequested, (), "a JSON object"),
        (TicketRequested, ("title",), "text of 3 to 255 characters"),
        (TicketRequested, ("service_address",), "text of up to 500 characters"),
        (
            TicketRequested,
            ("affected_services",),
            "a list of up to 100 texts of 1 to 100 characters",
        ),
        (TicketRequested, ("affected_services", 3), "text of 1 to 100 characters"),
        (TicketRequested, ("actor", "id"), "text of 1 to 255 characters"),
        (TicketRequested, ("attachments", 0, "size"), "an integer of 0 or more"),
        (
            TicketRequested,
            ("attachments", 0),
            "a list of up to 20 objects with name, url, content_type and size",
        ),
        (TicketRequested, ("context", "a", 0), "a JSON object of up to 32,768 bytes"),
        (TicketRequested, ("unknown",), "a JSON object"),
        (CustomerChanged, ("customer_id",), "a UUID"),
        (Assign, ("assigned_team",), "text of 1 to 100 characters"),
        (Escalate, ("to", "partner_id"), "a UUID"),
    ],
)
def test_the_form_at_a_path_is_that_of_the_nearest_field(
    model: type[BaseModel], path: tuple[Step, ...], form: str
) -> None:
    assert accepted_form(model, path) == form


def test_fields_have_the_names_that_messages_use() -> None:
    assert set(fields_on_the_wire(CustomerChanged)) == {
        *("customer_id", "tenant_id", "external_id", "name", "status", "tier", "updated_at")
    }


def test_a_field_admits_null_if_its_type_does() -> None:
    fields = TicketRequested.model_fields
    assert is_nullable(fields["actor"])
    assert not is_nullable(fields["title"])
