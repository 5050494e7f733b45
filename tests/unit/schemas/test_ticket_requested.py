import pytest
from pydantic import ValidationError

from schemas.context import MOST_BYTES
from schemas.problems import unstorable_text
from schemas.ticket_requested import TicketCalled, TicketRequested
from schemas.vocabulary import ActorType, Priority, TicketType
from tests.unit.schemas.documents import CUSTOMER, PARTNER, accepted, attachment, refused, request


def accept(**fields: object) -> TicketRequested:
    return accepted(request(**fields), TicketRequested)


def path_of(**fields: object) -> str | None:
    return refused(request(**fields)).path


def test_a_request_needs_four_fields_and_all_others_have_a_default() -> None:
    message = accept()
    assert message.known() == {
        "request_id": None,
        "tenant_id": "north",
        "customer_id": CUSTOMER,
        "title": "No connection",
        "description": "The modem shows a red light.",
        "priority": Priority.NORMAL,
        "ticket_type": None,
        "assigned_team": None,
        "service_address": None,
        "affected_services": (),
        "device_serial_numbers": (),
        "origin_type": ActorType.CUSTOMER,
        "target_type": ActorType.TENANT,
        "partner_id": None,
        "actor": None,
        "attachments": (),
        "context": None,
        "group_key": None,
        "requested_at": None,
    }
    assert message.context_json is None


def test_null_equals_absent_wherever_a_field_may_be_absent() -> None:
    optional = [
        name for name, field in TicketRequested.model_fields.items() if not field.is_required()
    ]
    assert len(optional) == 16
    nulls = dict.fromkeys(set(optional) - {"customer_id"})
    assert accept(**nulls).known() == accept().known()


@pytest.mark.parametrize("field", ["tenant_id", "title", "description"])
def test_a_required_field_may_be_neither_absent_nor_null(field: str) -> None:
    assert refused(request(**{field: ...})).message.startswith(f"{field}: is missing; expected ")
    assert refused(request(**{field: None})).message.startswith(f"{field}: is null; expected ")


def test_all_fields_are_kept() -> None:
    message = accept(
        request_id="r-1",
        customer_id=4711,
        priority="Critical",
        ticket_type="Speed_Issue",
        assigned_team=" noc ",
        service_address="12 Harbour Road",
        affected_services=["internet", "tv"],
        device_serial_numbers=["SN-1"],
        actor={"type": "TENANT", "id": "agent-7"},
        attachments=[attachment(size=12, content_type="text/plain")],
        context={"b": 1, "a": [None]},
        group_key="olt-7",
        requested_at="2026-11-24T09:30:00+01:00",
    )
    assert (message.request_id, message.customer_id) == ("r-1", 4711)
    assert (message.priority, message.ticket_type) == (Priority.URGENT, TicketType.SPEED_ISSUE)
    assert message.assigned_team == "noc"
    assert message.affected_services == ("internet", "tv")
    assert message.actor is not None
    assert message.actor.known() == {"type": ActorType.TENANT, "id": "agent-7"}
    assert message.attachments[0].known() == {
        "name": "log.txt",
        "url": "https://files.example/log",
        "content_type": "text/plain",
        "size": 12,
    }
    assert message.context_json == '{"b":1,"a":[null]}'
    assert message.requested_at == "2026-11-24T09:30:00+01:00"


@pytest.mark.parametrize(
    ("field", "accepted_length", "refused_length"),
    [
        ("request_id", 255, 256),
        ("tenant_id", 255, 256),
        ("title", 3, 2),
        ("title", 255, 256),
        ("description", 65_536, 65_537),
        ("assigned_team", 100, 101),
        ("service_address", 500, 501),
        ("group_key", 255, 256),
    ],
)
def test_a_text_has_its_bounds(field: str, accepted_length: int, refused_length: int) -> None:
    assert getattr(accept(**{field: "x" * accepted_length}), field) == "x" * accepted_length
    problem = refused(request(**{field: "x" * refused_length}))
    assert (problem.path, problem.error_class) == (field, "WrongSize")


@pytest.mark.parametrize(
    "field", ["request_id", "tenant_id", "title", "description", "assigned_team", "group_key"]
)
def test_white_space_is_no_text(field: str) -> None:
    assert refused(request(**{field: " \u3000\n"})).message.startswith(f"{field}: is empty; ")


@pytest.mark.parametrize("ticket_type", TicketType)
def test_every_ticket_type_is_accepted(ticket_type: TicketType) -> None:
    assert accept(ticket_type=ticket_type.value.title()).ticket_type is ticket_type


@pytest.mark.parametrize("ticket_type", ["outage", "", "other", 3])
def test_an_unknown_ticket_type_is_refused(ticket_type: object) -> None:
    assert path_of(ticket_type=ticket_type) == "ticket_type"


@pytest.mark.parametrize("missing", [None, ...])
def test_a_customer_as_origin_is_named(missing: object) -> None:
    said = refused(request(customer_id=missing)).message
    assert said.startswith("customer_id: is missing, and the origin is the customer; expected ")


@pytest.mark.parametrize("missing", [None, ...])
def test_a_partner_as_origin_is_named(missing: object) -> None:
    fields = {"origin_type": "Partner", "customer_id": ...}
    said = refused(request(**fields, partner_id=missing)).message
    assert said.startswith("partner_id: is missing, and the origin is a partner; expected ")
    assert accept(**fields, partner_id=PARTNER.upper()).partner_id == PARTNER


@pytest.mark.parametrize("origin", ["tenant", "platform"])
def test_another_origin_needs_neither(origin: str) -> None:
    assert accept(origin_type=origin, target_type="partner", customer_id=...).customer_id is None


@pytest.mark.parametrize("field", ["origin_type", "target_type"])
def test_the_system_is_neither_origin_nor_target(field: str) -> None:
    assert path_of(**{field: "system"}) == field


def test_the_system_is_no_actor_of_a_record() -> None:
    assert path_of(actor={"type": "system", "id": "system@workflow"}) == "actor.type"


def test_the_system_is_an_actor_of_the_library_face() -> None:
    message = TicketCalled.model_validate(request(actor={"type": "system", "id": "w-1"}))
    assert message.actor is not None
    assert message.actor.known() == {"type": "system", "id": "w-1"}
    assert isinstance(message, TicketRequested)


@pytest.mark.parametrize(
    ("actor", "path"),
    [
        ("me", "actor"),
        ([], "actor"),
        ({}, "actor.type"),
        ({"type": None}, "actor.type"),
        ({"type": "robot"}, "actor.type"),
        ({"type": "tenant", "id": 7}, "actor.id"),
        ({"type": "tenant", "id": "x" * 256}, "actor.id"),
    ],
)
def test_another_actor_is_refused(actor: object, path: str) -> None:
    assert path_of(actor=actor) == path


@pytest.mark.parametrize(
    ("attachments", "path"),
    [
        ({}, "attachments"),
        ([attachment()] * 21, "attachments"),
        (["x"], "attachments[0]"),
        ([attachment(), attachment(name=...)], "attachments[1].name"),
        ([attachment(name="")], "attachments[0].name"),
        ([attachment(name="x" * 256)], "attachments[0].name"),
        ([attachment(url=...)], "attachments[0].url"),
        ([attachment(url="ftp://a")], "attachments[0].url"),
        ([attachment(url="https://a/" + "x" * 2_039)], "attachments[0].url"),
        ([attachment(content_type="x" * 128)], "attachments[0].content_type"),
        ([attachment(content_type=5)], "attachments[0].content_type"),
        ([attachment(size=-1)], "attachments[0].size"),
        ([attachment(size="1")], "attachments[0].size"),
        ([attachment(size=1.5)], "attachments[0].size"),
    ],
)
def test_another_attachment_is_refused(attachments: object, path: str) -> None:
    assert path_of(attachments=attachments) == path


def test_twenty_attachments_are_accepted() -> None:
    assert len(accept(attachments=[attachment()] * 20).attachments) == 20


@pytest.mark.parametrize("field", ["affected_services", "device_serial_numbers"])
@pytest.mark.parametrize(
    ("items", "suffix"),
    [
        (["a"] * 101, ""),
        ("a", ""),
        ({}, ""),
        (["a", ""], "[1]"),
        (["x" * 101], "[0]"),
        ([5], "[0]"),
    ],
)
def test_another_list_of_texts_is_refused(field: str, items: object, suffix: str) -> None:
    assert len(getattr(accept(**{field: ["x" * 100] * 100}), field)) == 100
    assert path_of(**{field: items}) == f"{field}{suffix}"


@pytest.mark.parametrize("context", [[], "x", 1, {"a": "x" * MOST_BYTES}, {"a": 10**400}])
def test_another_context_is_refused(context: object) -> None:
    assert path_of(context=context) == "context"


@pytest.mark.parametrize("requested_at", ["2026-11-24T09:30:00", "yesterday", 1764000000])
def test_another_time_is_refused(requested_at: object) -> None:
    assert path_of(requested_at=requested_at) == "requested_at"


@pytest.mark.parametrize("context", [{"at": {1, 2}}, {"at": object()}])
def test_the_library_face_takes_only_what_json_can_say(context: object) -> None:
    with pytest.raises(TypeError, match="is not JSON serializable"):
        TicketCalled.model_validate(request(context=context))


def test_the_library_face_checks_texts_by_the_same_rules() -> None:
    message = TicketCalled.model_validate(request(title="abc\0"))
    problem = unstorable_text(message)
    assert problem is not None
    assert problem.path == "title"


@pytest.mark.parametrize("field", ["attachments", "affected_services", "device_serial_numbers"])
def test_a_long_list_of_wrong_items_is_one_error(field: str) -> None:
    """Eight megabytes of them would else become gigabytes of errors."""
    with pytest.raises(ValidationError) as error:
        TicketRequested.model_validate(request(**{field: [{"name": "x"}] * 1_000}))
    kinds = [detail["type"] for detail in error.value.errors()]
    assert len([kind for kind in kinds if kind != "none_required"]) == 1
    assert path_of(**{field: [{"name": "x"}] * 100_000}) in {f"{field}[0]", f"{field}[0].url"}
