from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import (
    LONGEST_ATTRIBUTE,
    PLAIN,
    Envelope,
    Failure,
    dead_letter_headers,
    fact_headers,
    read_envelope,
)

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
BINARY = [
    ("content-type", b"application/json"),
    ("ce_specversion", b"1.0"),
    ("ce_id", b"e-1"),
    ("ce_source", b"/portal"),
    ("ce_type", b"ticket.requested"),
]
FACT: dict[str, Any] = {
    "ce_id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "ce_type": "ticket.created",
    "tenant_id": "north",
    "time": "2026-11-24T09:30:00+00:00",
    "subject": "TCK-0123456789AB",
}


def test_a_record_without_headers_is_plain() -> None:
    assert read_envelope(()) is PLAIN
    assert read_envelope([("content-type", b"application/json")]) == PLAIN


def test_binary_mode_names_the_event() -> None:
    headers = [*BINARY, ("traceparent", TRACE.encode())]
    assert read_envelope(headers) == Envelope("e-1", "/portal", TRACE, identity=("/portal", "e-1"))


def test_a_trace_may_also_come_as_an_extension_of_the_event() -> None:
    assert read_envelope([("ce_traceparent", TRACE.encode())]).traceparent == TRACE


def test_of_a_repeated_header_the_last_counts() -> None:
    assert read_envelope([*BINARY, ("ce_id", b"e-2")]).id == "e-2"
    assert read_envelope([*BINARY, ("ce_id", None)]).id is None


@pytest.mark.parametrize(
    "value",
    [None, b"", b"\xff", b"a\0b", b"a\nb", b"\xc2\x80", b"\x7f", b"x" * (LONGEST_ATTRIBUTE + 1)],
)
def test_an_attribute_that_we_may_not_keep_still_identifies(value: bytes | None) -> None:
    odd_id = read_envelope([*BINARY, ("ce_id", value)])
    odd_source = read_envelope([*BINARY, ("ce_source", value)])
    assert odd_id[:2] == (None, "/portal")
    assert odd_source[:2] == ("e-1", None)
    assert (odd_id.identity is None) == (odd_source.identity is None) == (not value)


def test_names_of_headers_are_read_in_any_case() -> None:
    headers = [(name.upper(), value) for name, value in BINARY]
    assert read_envelope(headers).id == "e-1"
    assert read_envelope([*headers, ("content-type", b"application/json")]).id == "e-1"


@pytest.mark.parametrize("value", ["x" * LONGEST_ATTRIBUTE, "Ü 1", "😀", "\u200b", "\u00ad"])
def test_any_other_attribute_is_kept_as_it_stands(value: str) -> None:
    assert read_envelope([*BINARY, ("ce_id", value.encode())]).id == value


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/cloudevents+json",
        b"Application/CloudEvents+JSON; charset=UTF-8",
        b" application/cloudevents+json ;charset=utf-8",
    ],
)
@pytest.mark.parametrize("name", ["content-type", "Content-Type", "CONTENT-TYPE"])
def test_structured_mode_is_told_by_the_content_type(name: str, content_type: bytes) -> None:
    assert read_envelope([(name, content_type)]).is_structured


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        b"",
        b"application/json",
        b"application/cloudevents",
        b"application/cloudevents-batch+json",
        b"application/cloudevents+jsonx",
        b"text/plain; application/cloudevents+json",
        b"\xff\xfe",
    ],
)
def test_any_other_content_type_is_not_structured(content_type: bytes | None) -> None:
    assert read_envelope([("content-type", content_type)]) == PLAIN


@pytest.mark.parametrize(
    "trace",
    [
        TRACE.upper(),
        TRACE[:-1],
        TRACE + "-x",
        "ff" + TRACE[2:],
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
        "",
        "\0",
    ],
)
def test_a_trace_of_another_form_is_dropped(trace: str) -> None:
    """Source: W3C Trace Context, level 1."""
    assert read_envelope([("traceparent", trace.encode())]).traceparent is None


names = st.sampled_from([name for name, _ in BINARY] + ["traceparent", "", "\ud800"]) | st.text()


@given(st.lists(st.tuples(names, st.none() | st.binary())))
def test_no_headers_break_anything(headers: Sequence[tuple[str, bytes | None]]) -> None:
    envelope = read_envelope(headers)
    for text in (envelope.id, envelope.source):
        assert text is None or (0 < len(text) <= LONGEST_ATTRIBUTE and "\0" not in text)


def test_a_fact_is_a_cloudevent_in_binary_mode() -> None:
    headers = fact_headers(**FACT, sequence=12, causation_id="r-ü", traceparent=TRACE)
    assert len(headers) == len(dict(headers))
    assert dict(headers) == {
        "content-type": b"application/json",
        "ce_specversion": b"1.0",
        "ce_id": b"3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        "ce_source": b"/isp-ticketing/north",
        "ce_type": b"ticket.created",
        "ce_subject": b"TCK-0123456789AB",
        "ce_time": b"2026-11-24T09:30:00+00:00",
        "ce_dataschema": b"urn:isp-ticketing:ticket.created:1",
        "ce_tenantid": b"north",
        "ce_sequence": b"12",
        "ce_sequencetype": b"Integer",
        "ce_causationid": "r-ü".encode(),
        "traceparent": TRACE.encode(),
    }


def test_a_rejection_has_no_sequence() -> None:
    headers = dict(
        fact_headers(
            **(FACT | {"ce_type": "ticket.rejected", "subject": None}),
            sequence=0,
            causation_id=None,
            traceparent=None,
        )
    )
    assert headers.keys().isdisjoint(
        {"ce_sequence", "ce_sequencetype", "ce_subject", "ce_causationid", "traceparent"}
    )
    assert headers["ce_dataschema"] == b"urn:isp-ticketing:ticket.rejected:1"


def test_what_we_publish_we_could_read() -> None:
    headers = fact_headers(**FACT, sequence=1, causation_id=None, traceparent=TRACE)
    source = "/isp-ticketing/north"
    assert read_envelope(headers) == Envelope(
        FACT["ce_id"], source, TRACE, identity=(source, FACT["ce_id"])
    )


def test_a_dead_letter_says_in_ten_headers_why_it_is_one() -> None:
    failure = Failure(
        topic="ticket.requested",
        partition=3,
        offset=2**40,
        timestamp=-1,
        group="isp-ticketing",
        error_class="WrongSize",
        error_message="title: is 2 characters long; \ud800",
        error_path=None,
        attempts=1,
        failed_at="2026-11-24T09:30:00+00:00",
    )
    assert dead_letter_headers(failure) == [
        ("dlq-topic", b"ticket.requested"),
        ("dlq-partition", b"3"),
        ("dlq-offset", b"1099511627776"),
        ("dlq-timestamp", b"-1"),
        ("dlq-group", b"isp-ticketing"),
        ("dlq-error-class", b"WrongSize"),
        ("dlq-error-message", b"title: is 2 characters long; \\ud800"),
        ("dlq-error-path", b""),
        ("dlq-attempts", b"1"),
        ("dlq-failed-at", b"2026-11-24T09:30:00+00:00"),
    ]
