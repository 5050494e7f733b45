import pytest

from schemas.decode import InvalidRecord, decode
from schemas.message import Message
from schemas.party_changed import CustomerChanged
from schemas.problems import SHOWN, kind_of, written
from schemas.ticket_change_requested import CHANGES, TicketChangeRequested
from schemas.ticket_requested import TicketRequested
from tests.unit.schemas.documents import change, customer, encoded, refused, request

ODD: list[object] = [
    *(None, True, 5, -1, 2.5, 10**30, float("1e300"), "", " ", "x", "ä" * 70_000, "\ud800", "a\0"),
    *([], ["a"], [None], [{}], {}, {"a": 1}, {"type": 5}, {"level": "x"}),
]


def faults() -> list[tuple[type[Message], dict[str, object]]]:
    """Documents with one odd value each: in every field of every message."""
    documents: list[tuple[type[Message], type[Message], dict[str, object]]] = [
        (TicketRequested, TicketRequested, request()),
        (CustomerChanged, CustomerChanged, customer()),
    ]
    documents += [(TicketChangeRequested, model, change(kind)) for kind, model in CHANGES.items()]
    return [
        (model, document | {field.alias or name: odd})
        for model, holder, document in documents
        for name, field in holder.model_fields.items()
        for odd in ODD
    ]


def test_every_fault_is_told_in_our_own_words() -> None:
    told = 0
    for model, document in faults():
        result = decode(model, encoded(document), ())
        if isinstance(result, InvalidRecord):
            told += 1
            assert result.path
            assert result.problem.startswith(("is ", "has ", "holds ", "names "))
            assert not {"Input", "Value", "valid", "None", "str", "dict"} & set(
                result.problem.split()
            )
            assert result.accepted_form != "a JSON object"
            assert len(result.message) < 500
    assert told > 500


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("title",), "title"),
        (("attachments", 0, "url"), "attachments[0].url"),
        (("a", 1, 2, "b"), "a[1][2].b"),
    ],
)
def test_a_path_is_written_as_people_do(path: tuple[str | int, ...], text: str) -> None:
    assert written(path) == text


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        ("x", "text"),
        (1, "a number"),
        (1.5, "a number"),
        ([], "a list"),
        ((), "a list"),
        ({}, "an object"),
        (b"x", "of the type bytes"),
    ],
)
def test_a_kind_is_named_as_json_has_it(value: object, kind: str) -> None:
    assert kind_of(value) == kind


@pytest.mark.parametrize(
    ("fields", "error_class"),
    [
        ({"title": ...}, "Missing"),
        ({"customer_id": ...}, "Missing"),
        ({"title": 5}, "WrongType"),
        ({"attachments": {}}, "WrongType"),
        ({"actor": "x"}, "WrongType"),
        ({"title": "x"}, "WrongSize"),
        ({"affected_services": ["x"] * 101}, "WrongSize"),
        ({"context": {"a": "x" * 40_000}}, "WrongSize"),
        ({"priority": "x"}, "WrongValue"),
        ({"customer_id": "x"}, "WrongValue"),
        ({"requested_at": "x"}, "WrongValue"),
        ({"title": "abc\0"}, "UnstorableText"),
        ({"title": "abc\ud800"}, "UnstorableText"),
        ({"context": {"a": "\ud800"}}, "UnstorableText"),
    ],
)
def test_faults_of_a_kind_have_a_class_in_common(
    fields: dict[str, object], error_class: str
) -> None:
    assert refused(request(**fields)).error_class == error_class


def test_no_field_that_holds_words_is_shown() -> None:
    private = {
        *("title", "description", "service_address", "body", "comment", "reason", "name", "url"),
        *("id", "sender_id", "assigned_team", "team", "group_key", "context", "affected_services"),
        *("device_serial_numbers", "content_type", "tier", "assigned_to_user_id", "user_id"),
    }
    assert private.isdisjoint(SHOWN)


def test_the_first_fault_in_the_order_of_the_contract_is_told() -> None:
    assert refused(request(title=5, description=..., priority="x")).path == "title"


def test_a_long_path_into_a_context_is_cut() -> None:
    problem = refused(request(context={"x" * 1_000: "\0"}))
    assert problem.path is not None
    assert len(problem.path) == 255
