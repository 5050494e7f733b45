"""The quick reading and a plain strict one come to the same end, whatever stands in a record."""

import json
import re
from typing import Any, NoReturn

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.decode import Decoded, InvalidRecord, decode, decode_party
from schemas.exact_json import DEEPEST
from schemas.message import Message, unknown_fields
from schemas.party_changed import CustomerChanged, PartnerChanged
from schemas.problems import unstorable_text, worst_problem
from schemas.ticket_change_requested import CHANGES, TicketChangeRequested
from schemas.ticket_requested import TicketRequested
from tests.unit.schemas.documents import CUSTOMER, TICKET, change, customer, encoded, request

MODELS: list[type[Message]] = [
    TicketRequested,
    TicketChangeRequested,
    CustomerChanged,
    PartnerChanged,
]
DOCUMENTS: list[tuple[type[Message], dict[str, Any]]] = [
    (TicketRequested, request()),
    (TicketChangeRequested, change("add_message", body="Any news?")),
    (TicketChangeRequested, change("set_fields", fields={"service_address": "x"})),
    (TicketChangeRequested, change("escalate", to={"level": 2})),
    (CustomerChanged, customer()),
]
ALONE: list[type[Message]] = [TicketRequested, CustomerChanged, *CHANGES.values()]
NAMES = sorted(
    {name for model in ALONE for name in model.model_fields}
    | {"customer_id", "change", "unknown", "", "~", "a\\u0000", "\\ud800"}
)
RAW = [
    *("null", "true", "5", "-0", "1.0", "1e400", "NaN", "-Infinity", "9" * 309, "9" * 5_000),
    *('""', '"abc"', '"  abc  "', '"high"', '"MEDIUM"', '"tenant"', '"partner"', '"system"'),
    *('"\\u0000ab"', '"\\ud800abc"', '"\\ud83d\\ude00abc"', '"\\\\u0000"', '"x\\ty"'),
    *(f'"{CUSTOMER}"', f'"{TICKET.upper()}"', '"TCK-0123456789AB"', f'"{"x" * 300}"'),
    *('"2026-11-24T09:30:00Z"', '"2026-11-24T09:30:00"', '"outage_report"', '"rate"'),
    *("[]", '["a"]', '["a",5]', '["\\u0000"]', "{}", '{"a":1}', '{"a":[NaN]}', '{"a":1e400}'),
    *('{"type":"tenant"}', '{"type":"tenant","x":Infinity}', '{"type":"customer","id":"\\u0000"}'),
    *('[{"name":"n","url":"http://a"}]', '[{"name":"n","url":"http://a","x":NaN}]'),
    *('{"level":1}', '{"ticket_type":null}', '{"context":{"a":"\\ud800"}}', '{"context":[]}'),
    *(
        "[" * 60 + "]" * 60,
        "[" * 150 + "]" * 150,
        "[" * 300 + "]" * 300,
        '{"a":' * 99 + "1" + "}" * 99,
    ),
    *("[", "}", "01", "'a'", '"\t"', "nul"),
]

PROPER = [
    *(
        "null",
        "false",
        "5",
        "1e400",
        "9" * 5_000,
        '"abc"',
        '"\\u0000"',
        '"\\ud800"',
        "[]",
        '["a"]',
        "{}",
    ),
    *('{"type":"tenant","x":{"y":[1]}}', '[{"name":"n","url":"http://a"}]', "[" * 99 + "]" * 99),
]
"""Values that are JSON, at no depth that is too deep."""


def members_of(raw: list[str]) -> st.SearchStrategy[tuple[str, str]]:
    return st.tuples(st.sampled_from(NAMES), st.sampled_from(raw))


class Refused(Exception):
    pass


def _refuse(constant: str) -> NoReturn:
    raise Refused(constant)


def _integer(digits: str) -> int:
    return int(digits[:1_000])  # as good as any other that is far too large


def _depth(value: object) -> int:
    """value: read with every member as a pair, so that a repeated name hides nothing."""
    match value:
        case tuple():
            return _depth(value[1])
        case list():
            return 1 + max(map(_depth, value), default=0)
        case _:
            return 0


HALF = re.compile("[\ud800-\udfff]")


def read_strictly(model: type[Message], value: bytes) -> Message | str | None:
    """The message, or the path of its fault, by Python's parser and no short cut."""
    try:
        data = json.loads(value.decode(), parse_constant=_refuse, parse_int=_integer)
    except (Refused, ValueError):
        return None
    if _depth(json.loads(value, object_pairs_hook=list, parse_int=_integer)) > DEEPEST:
        return None
    if isinstance(data, dict):  # a name that no text can hold is unknown, whatever it is
        data = {name: item for name, item in data.items() if not HALF.search(name)}
    try:
        message: Message = TypeAdapter(model.wire_form()).validate_python(data)
    except ValidationError as error:
        return worst_problem(model, error).path
    problem = unstorable_text(message)
    return message if problem is None else problem.path


def assert_both_agree(model: type[Message], value: bytes) -> None:
    expected, result = read_strictly(model, value), decode(model, value, ())
    if isinstance(expected, Message):
        assert isinstance(result, Decoded), result
        assert type(result.message) is type(expected)
        assert result.message.known() == expected.known()
        assert unknown_fields(result.message) == unknown_fields(expected)
    else:
        assert isinstance(result, InvalidRecord), result
        assert result.path == expected


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_both_readings_agree_on_every_value_in_every_field(name: str) -> None:
    for model, document in DOCUMENTS:
        for raw in RAW:
            assert_both_agree(model, encoded(document)[:-1] + f',"{name}":{raw}}}'.encode())


@given(
    st.sampled_from(DOCUMENTS),
    st.lists(members_of(RAW), max_size=4, unique_by=lambda member: member[0])
    | st.lists(members_of(PROPER), max_size=4),
)
def test_both_readings_agree_on_any_fields_together(
    drawn: tuple[type[Message], dict[str, Any]], fields: list[tuple[str, str]]
) -> None:
    """Except on NaN and depth in a value that a repeated name hides, if it hides in a typed field.

    The quick reading never sees such a value; to look for it would cost an eighth of decoding.
    """
    model, document = drawn
    added = "".join(f', "{name}" :{raw}' for name, raw in fields)
    assert_both_agree(model, encoded(document)[:-1] + f"{added}}}".encode())


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner),
    max_leaves=25,
)


@given(st.sampled_from(DOCUMENTS), st.dictionaries(st.sampled_from(NAMES), json_values, max_size=3))
def test_both_readings_agree_on_ordinary_json(
    drawn: tuple[type[Message], dict[str, Any]], fields: dict[str, Any]
) -> None:
    model, document = drawn
    assert_both_agree(model, encoded(document | fields))


@given(st.data())
def test_damaged_records_break_nothing_and_are_read_alike(data: st.DataObject) -> None:
    model, document = data.draw(st.sampled_from(DOCUMENTS))
    value = bytearray(encoded(document))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(value)))
        value[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.binary(max_size=3)
            | st.sampled_from([b'"', b"\\", b"{", b"NaN", b"\\u0000", b"\xed\xa0\x80"])
        )
    assert_both_agree(model, bytes(value))


header_names = st.sampled_from(
    ["content-type", "Content-Type", "ce_id", "ce_source", "ce_specversion", "traceparent", ""]
)
header_values = (
    st.none()
    | st.binary()
    | st.sampled_from([b"application/cloudevents+json", b"1.0", b"\0", b"\xff", b"x"])
)
headers = st.lists(st.tuples(header_names | st.text(), header_values))


@given(
    st.sampled_from(MODELS),
    st.none() | st.binary() | json_values.map(encoded),
    st.none() | st.binary(),
    headers,
)
@example(TicketRequested, b"\xff" * 3, None, [("content-type", b"application/cloudevents+json")])
def test_no_record_whatsoever_breaks_anything(
    model: type[Message],
    value: bytes | None,
    key: bytes | None,
    headers: list[tuple[str, bytes | None]],
) -> None:
    result = decode(model, value, headers)
    if isinstance(result, InvalidRecord):
        assert result.message.encode()
        assert "; expected " in result.message
    decode_party(CustomerChanged, key, value, headers)
