"""CloudEvents 1.0 around our messages: what comes in, and the headers of what goes out.

Source: the Kafka protocol binding (cloudevents/spec). Binary mode carries attributes as `ce_*`
headers; structured mode carries the whole event as the value.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

Headers = Sequence[tuple[str, bytes | None]]

STRUCTURED: Final = "application/cloudevents+json"
TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
SURROGATE: Final = re.compile("[\ud800-\udfff]")
LONGEST_ATTRIBUTE: Final = 1_024
"""A longer id or source would not fit an index; it identifies nothing."""


class Envelope(NamedTuple):
    """What stood around the data. id and source identify the event, where both are given."""

    id: str | None = None
    source: str | None = None
    traceparent: str | None = None
    is_structured: bool = False


PLAIN: Final = Envelope()


def read_envelope(headers: Headers) -> Envelope:
    """The envelope in the headers. Of a repeated header the last counts; unreadable is absent."""
    if not headers:
        return PLAIN
    found = dict(headers)
    content_type = _text(found.get("content-type")) or ""
    return Envelope(
        attribute(_text(found.get("ce_id"))),
        attribute(_text(found.get("ce_source"))),
        trace(_text(found.get("traceparent")) or _text(found.get("ce_traceparent"))),
        content_type.strip().lower().startswith(STRUCTURED),
    )


def attribute(value: object) -> str | None:
    """A context attribute that PostgreSQL can hold, or None."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_ATTRIBUTE or "\0" in value:
        return None
    return None if SURROGATE.search(value) else value


def trace(value: object) -> str | None:
    """A W3C trace parent as it stands, or None."""
    return value if isinstance(value, str) and TRACEPARENT.fullmatch(value) else None


def _text(value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


_FIRST: Final = [("content-type", b"application/json"), ("ce_specversion", b"1.0")]
_INTEGER: Final = ("ce_sequencetype", b"Integer")


def fact_headers(
    *,
    ce_id: str,
    ce_type: str,
    tenant_id: str,
    time: str,
    subject: str | None,
    sequence: int,
    causation_id: str | None,
    traceparent: str | None,
) -> list[tuple[str, bytes]]:
    """The headers of a fact. time: RFC 3339; sequence 0: a rejection, which has none."""
    headers = [
        *_FIRST,
        ("ce_id", ce_id.encode()),
        ("ce_source", f"/isp-ticketing/{tenant_id}".encode()),
        ("ce_type", ce_type.encode()),
        ("ce_time", time.encode()),
        ("ce_dataschema", f"urn:isp-ticketing:{ce_type}:1".encode()),
        ("ce_tenantid", tenant_id.encode()),
    ]
    if subject is not None:
        headers.append(("ce_subject", subject.encode()))
    if sequence:
        headers += (("ce_sequence", b"%d" % sequence), _INTEGER)
    if causation_id is not None:
        headers.append(("ce_causationid", causation_id.encode()))
    if traceparent is not None:
        headers.append(("traceparent", traceparent.encode()))
    return headers


class Failure(NamedTuple):
    """Why a record is a dead letter, for its headers. Times: RFC 3339; timestamp: ms since 1970."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    group: str
    error_class: str
    error_message: str
    error_path: str | None
    attempts: int
    failed_at: str


def dead_letter_headers(failure: Failure) -> list[tuple[str, bytes]]:
    """The ten headers that follow a dead letter's own, as text."""
    names = (
        "topic",
        "partition",
        "offset",
        "timestamp",
        "group",
        "error-class",
        "error-message",
        "error-path",
        "attempts",
        "failed-at",
    )
    return [
        (f"dlq-{name}", ("" if value is None else str(value)).encode("utf-8", "backslashreplace"))
        for name, value in zip(names, failure, strict=True)
    ]
