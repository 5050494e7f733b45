"""Whatever a record holds, it becomes a message or one sentence about why not."""

import base64
import json
from typing import Any

import pytest

from schemas.decode import Decoded, InvalidRecord, decode
from schemas.envelope import PLAIN, Envelope
from schemas.ticket_requested import TicketRequested
from tests.unit.schemas.documents import encoded, request

STRUCTURED = [("content-type", b"application/cloudevents+json; charset=utf-8")]
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
MEGABYTE = 2**20


def event(**attributes: object) -> dict[str, Any]:
    """A request as an event in structured mode; an attribute that is ... is left out."""
    whole = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/portal",
        "type": "ticket.requested",
        "data": request(),
    } | attributes
    return {name: value for name, value in whole.items() if value is not ...}


def decoded(value: bytes, headers: Any = ()) -> Decoded[TicketRequested]:  # noqa: ANN401  any headers
    result = decode(TicketRequested, value, headers)
    assert isinstance(result, Decoded), result
    return result


def invalid(value: bytes | None, headers: Any = ()) -> InvalidRecord:  # noqa: ANN401  any headers
    result = decode(TicketRequested, value, headers)
    assert isinstance(result, InvalidRecord), result
    return result


def with_raw(name: str, raw: str) -> bytes:
    """A request with one more field, whose value is this text as it stands."""
    return encoded(request())[:-1] + f',"{name}":{raw}}}'.encode()


def test_plain_json_has_a_plain_envelope() -> None:
    result = decoded(encoded(request()))
    assert result.envelope is PLAIN
    assert result.message.title == "No connection"


def test_json_may_be_spread_and_in_any_script() -> None:
    document = request(title="Нет связи 😀")
    value = json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\r\n\t "
    assert decoded(value).message == decoded(encoded(document)).message


def test_an_event_in_binary_mode_has_its_data_as_the_value() -> None:
    headers = [("ce_id", b"e-1"), ("ce_source", b"/portal"), ("ce_type", b"anything")]
    result = decoded(encoded(request()), headers)
    assert result.envelope == Envelope("e-1", "/portal", identity=("/portal", "e-1"))
    assert result.message.title == "No connection"


def test_an_event_in_structured_mode_holds_its_data() -> None:
    result = decoded(encoded(event(traceparent=TRACE, time="yesterday", other=5)), STRUCTURED)
    assert result.envelope == Envelope(
        "e-1", "/portal", TRACE, is_structured=True, identity=("/portal", "e-1")
    )
    assert result.message.title == "No connection"


def test_data_may_come_in_base64() -> None:
    data = base64.b64encode(encoded(request())).decode()
    result = decoded(encoded(event(data=..., data_base64=data)), STRUCTURED)
    assert result.message.title == "No connection"


def test_a_traceparent_header_counts_before_that_of_the_event() -> None:
    header = TRACE.replace("01", "00")
    headers = [*STRUCTURED, ("traceparent", header.encode())]
    assert decoded(encoded(event(traceparent=TRACE)), headers).envelope.traceparent == header


@pytest.mark.parametrize(
    ("attributes", "path", "said"),
    [
        ({"id": ...}, "id", "is missing"),
        ({"id": None}, "id", "is missing"),
        ({"id": ""}, "id", "is not usable"),
        ({"id": 5}, "id", "is not usable"),
        ({"id": "a\0b"}, "id", "is not usable"),
        ({"id": "\ud800"}, "id", "is not usable"),
        ({"id": "x" * 1_025}, "id", "is not usable"),
        ({"source": ...}, "source", "is missing"),
        ({"source": ["/"]}, "source", "is not usable"),
        ({"type": ...}, "type", "is missing"),
        ({"type": ""}, "type", "is not usable"),
        ({"specversion": ...}, "specversion", "is missing"),
        ({"specversion": "0.3"}, "specversion", "is another version"),
        ({"specversion": 1.0}, "specversion", "is another version"),
        ({"data": ...}, "data", "is missing"),
        ({"data": None}, "data", "is missing"),
        ({"data": ..., "data_base64": "{}"}, "data_base64", "is not Base64"),
        ({"data": ..., "data_base64": "ü"}, "data_base64", "is not Base64"),
    ],
)
def test_a_bad_envelope_is_refused(attributes: dict[str, object], path: str, said: str) -> None:
    problem = invalid(encoded(event(**attributes)), STRUCTURED)
    assert (problem.error_class, problem.path) == ("InvalidEnvelope", path)
    assert problem.problem == said


@pytest.mark.parametrize(
    ("attributes", "path"),
    [
        ({"data": "text"}, "data"),
        ({"data": []}, "data"),
        ({"data": ..., "data_base64": "W10="}, "data"),
        ({"data": ..., "data_base64": "e30="}, "tenant_id"),
        ({"data": ..., "data_base64": "ew=="}, None),
        ({"data": ..., "data_base64": ""}, None),
        ({"data": request(title="ab")}, "title"),
        ({"data": request(title="abc\0")}, "title"),
        ({"data": request(title="abc\ud800")}, "title"),
        ({"data": request(context={"a": float("nan")})}, None),
    ],
)
def test_the_data_of_an_event_is_checked_as_any_other(
    attributes: dict[str, object], path: str | None
) -> None:
    problem = invalid(encoded(event(**attributes)), STRUCTURED)
    assert problem.path == path
    assert problem.source in {"/portal", None}


@pytest.mark.parametrize("value", [b"[]", b"5", b'"x"', b"null"])
def test_a_structured_event_is_an_object(value: bytes) -> None:
    problem = invalid(value, STRUCTURED)
    assert problem.message == "value: is not an object; expected a CloudEvent, a JSON object"


@pytest.mark.parametrize("headers", [(), STRUCTURED])
def test_a_tombstone_is_no_request(headers: Any) -> None:  # noqa: ANN401  any headers
    problem = invalid(None, headers)
    assert problem.error_class == "Tombstone"
    assert problem.message == "value: is null (a tombstone); expected a JSON object"


@pytest.mark.parametrize("headers", [(), STRUCTURED])
def test_nothing_is_no_request(headers: Any) -> None:  # noqa: ANN401  any headers
    assert invalid(b"", headers).message == "value: is empty; expected a JSON object"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"[]", "value: is a list; expected a JSON object"),
        (b"null", "value: is null; expected a JSON object"),
        (b'"{}"', "value: is text; expected a JSON object"),
        (b"17", "value: is a number; expected a JSON object"),
        (b"false", "value: is false; expected a JSON object"),
    ],
)
def test_only_an_object_is_a_message(value: bytes, said: str) -> None:
    problem = invalid(value)
    assert (problem.message, problem.error_class) == (said, "NotAnObject")


def test_the_confluent_wire_format_is_told_from_other_bytes() -> None:
    problem = invalid(b"\0\0\0\0\x11" + encoded(request()))
    assert problem.message == (
        "value: begins with the Confluent wire format (magic byte 0, schema id 17); "
        "expected plain JSON (RFC 8259) in UTF-8, without a schema registry's prefix"
    )


@pytest.mark.parametrize("raw", ["NaN", "Infinity", "-Infinity", '{"a":[NaN]}', "[-Infinity]"])
@pytest.mark.parametrize("name", ["context", "title", "unknown", "priority", "size"])
def test_what_json_does_not_have_is_refused_wherever_it_stands(name: str, raw: str) -> None:
    problem = invalid(with_raw(name, raw))
    assert (problem.error_class, problem.path) == ("NotJson", None)
    assert "which JSON does not have" in problem.problem


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("actor", '{"type":"tenant","x":NaN}'),
        ("attachments", '[{"name":"n","url":"http://a","x":[Infinity]}]'),
    ],
)
def test_nor_may_it_stand_in_an_unknown_field_below(name: str, raw: str) -> None:
    assert invalid(with_raw(name, raw)).error_class == "NotJson"


def test_the_words_themselves_may_be_written() -> None:
    message = decoded(
        encoded(request(title="NaN and Infinity", context={"a": "NaN"}, x="-Infinity"))
    ).message
    assert message.title == "NaN and Infinity"


@pytest.mark.parametrize("name", ["context", "unknown", "actor"])
def test_a_hundred_levels_are_read_and_no_more(name: str) -> None:
    extra = '{"type":"tenant","x":%s}' if name == "actor" else '{"x":%s}'
    levels = 98  # the record is one more, and so is the object in it
    decoded(with_raw(name, extra % ("[" * levels + "]" * levels)))
    problem = invalid(with_raw(name, extra % ("[" * (levels + 1) + "]" * (levels + 1))))
    assert problem.message == "value: is nested deeper than 100 levels; expected at most 100 levels"


@pytest.mark.parametrize("levels", [150, 199, 200, 201, 5_000, 2 * MEGABYTE])
def test_depth_alone_never_breaks_anything(levels: int) -> None:
    assert invalid(with_raw("x", "[" * levels + "]" * levels)).error_class == "NotJson"
    assert invalid(with_raw("x", "[" * levels)).error_class == "NotJson"
    assert invalid(b'{"x":' * levels).error_class == "NotJson"


def test_of_a_repeated_name_the_last_counts() -> None:
    value = b'{"title":5,"tenant_id":"south",' + encoded(request(title="First"))[1:-1]
    message = decoded(value + b',"title":"Last","a":1,"a":2}').message
    assert (message.title, message.tenant_id) == ("Last", "north")
    assert invalid(encoded(request())[:-1] + b',"title":5}').path == "title"


@pytest.mark.parametrize("escape", ["\\u0000", "\\ud800", "\\udc00", "\\uDBFF\\u0041"])
@pytest.mark.parametrize("name", ["title", "description", "request_id", "service_address"])
def test_a_kept_text_holds_nothing_that_postgresql_cannot(name: str, escape: str) -> None:
    problem = invalid(with_raw(name, f'"abc {escape}"'))
    assert (problem.error_class, problem.path) == ("UnstorableText", name)


@pytest.mark.parametrize(
    ("name", "raw", "path"),
    [
        ("affected_services", '["a","\\u0000b"]', "affected_services[1]"),
        ("attachments", '[{"name":"a\\u0000","url":"http://a"}]', "attachments[0].name"),
        ("actor", '{"type":"tenant","id":"a\\ud800"}', "actor.id"),
        ("context", '{"a":["\\u0000"]}', "context.a[0]"),
        ("context", '{"a\\u0000":1}', "context"),
        ("context", '{"a":"\\ud800"}', "context"),
        ("context", '{"a\\udfff":1}', "context"),
    ],
)
def test_nor_does_one_further_inside(name: str, raw: str, path: str) -> None:
    problem = invalid(with_raw(name, raw))
    assert (problem.error_class, problem.path) == ("UnstorableText", path)


@pytest.mark.parametrize(
    "raw",
    ['"\\u0000"', '"\\ud800"', "1e400", "9" * 5_000, '{"\\u0000":[1e400]}', '"\\\\u0000"'],
)
def test_an_unknown_field_may_hold_any_json(raw: str) -> None:
    assert decoded(with_raw("unknown", raw)).message.title == "No connection"


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert decoded(with_raw("group_key", '"\\\\u0000"')).message.group_key == "\\u0000"


@pytest.mark.parametrize("raw", ["1e400", "-1e400", "9" * 400, "9" * 5_000])
@pytest.mark.parametrize("wrap", ['{"a":%s}', '{"a":{"b":[%s]}}'])
def test_a_number_that_overflows_a_double_is_not_stored(raw: str, wrap: str) -> None:
    problem = invalid(with_raw("context", wrap % raw))
    assert problem.path == "context"
    assert problem.problem == "holds a number that no double can hold"


@pytest.mark.parametrize("raw", ["9" * 400, "9" * 5_000, "1e400", "-1"])
def test_a_customer_is_no_such_number(raw: str) -> None:
    assert invalid(with_raw("customer_id", raw)).path == "customer_id"


def test_five_megabytes_are_judged_as_anything_else() -> None:
    large = "x" * (5 * MEGABYTE)
    assert invalid(encoded(request(description=large))).problem == "is 5,242,880 characters long"
    assert invalid(encoded(request(context={"a": large}))).error_class == "WrongSize"
    assert decoded(encoded(request(unknown=large))).message.title == "No connection"
    assert invalid(large.encode()).error_class == "NotJson"
    assert invalid(b"\xff" * (5 * MEGABYTE)).error_class == "NotJson"


@pytest.mark.parametrize(
    ("value", "tenant", "request_id"),
    [
        (encoded(request(title=5, request_id=" r-1 ")), "north", "r-1"),
        (b'{"tenant_id" : "north","request_id":"r-1", oops', "north", "r-1"),
        (encoded(request(request_id="r-1", context={"a": float("nan")})), "north", "r-1"),
        (encoded(request(tenant_id="no th", request_id=5)), None, None),
        (encoded(request(request_id="a\0b")), "north", None),
        (encoded(request(request_id="a\ud800")), "north", None),
        (b'{"tenant_id":"no th","request_id":"\xff"', None, "\ufffd"),
        (b"[]", None, None),
        (b"\xff", None, None),
    ],
)
def test_a_broken_record_still_says_whose_it_is(
    value: bytes, tenant: str | None, request_id: str | None
) -> None:
    problem = invalid(value, [("ce_source", b"/portal")])
    assert (problem.tenant_id, problem.request_id) == (tenant, request_id)
    assert problem.source == "/portal"


PRIVATE = "Anna Muster, 12 Harbour Road"


@pytest.mark.parametrize(
    "fields",
    [
        {"title": PRIVATE * 20},
        {"title": [PRIVATE]},
        {"description": {"a": PRIVATE}},
        {"service_address": PRIVATE * 20},
        {"assigned_team": PRIVATE * 20},
        {"group_key": PRIVATE * 20},
        {"affected_services": PRIVATE},
        {"affected_services": [PRIVATE * 20]},
        {"actor": PRIVATE},
        {"actor": {"type": "tenant", "id": PRIVATE * 20}},
        {"attachments": [{"name": PRIVATE * 20, "url": "http://a"}]},
        {"attachments": [{"name": "n", "url": PRIVATE}]},
        {"attachments": [{"name": "n", "url": "http://a", "content_type": PRIVATE * 20}]},
        {"attachments": [PRIVATE]},
        {"context": PRIVATE},
        {"context": {"a": PRIVATE + "\0"}},
        {"title": PRIVATE + "\0"},
        {"title": PRIVATE + "\ud800"},
    ],
)
def test_what_customers_wrote_is_never_repeated(fields: dict[str, object]) -> None:
    assert "Anna" not in invalid(encoded(request(**fields))).message


def test_what_is_no_json_is_not_repeated_either() -> None:
    assert "Anna" not in invalid(encoded(request(title=PRIVATE))[:-1]).message


@pytest.mark.parametrize(
    ("fields", "problem", "accepted_form"),
    [
        ({"title": "ab"}, "title: is 2 characters long", "text of 3 to 255 characters"),
        (
            {"priority": "p1"},
            "priority: is 'p1'",
            "one of low, normal, high, urgent, medium (normal), critical (urgent); in any case",
        ),
        (
            {"customer_id": "4711"},
            "customer_id: is '4711'",
            "a UUID, or an integer (the customer's external_id)",
        ),
        (
            {"affected_services": ["tv", 5]},
            "affected_services[1]: is a number",
            "text of 1 to 100 characters",
        ),
        (
            {"attachments": [{"name": "n", "url": "ftp://a"}]},
            "attachments[0].url: is text of another form",
            "an http or https URL of up to 2,048 characters",
        ),
        (
            {"tenant_id": "x y" * 100},
            "tenant_id: is 300 characters long",
            "1 to 255 of the characters A-Z a-z 0-9 . _ -",
        ),
        (
            {"origin_type": "robot" * 30},
            f"origin_type: is '{'robot' * 12}...'",
            "one of customer, tenant, partner, platform; in any case",
        ),
    ],
)
def test_a_sentence_names_the_field_the_problem_and_the_accepted_form(
    fields: dict[str, object], problem: str, accepted_form: str
) -> None:
    said = invalid(encoded(request(**fields))).message
    assert said == f"{problem}; expected {accepted_form}"


def test_an_unknown_name_with_half_a_surrogate_pair_is_ignored_too() -> None:
    decoded(with_raw("\\ud800", "1"))
