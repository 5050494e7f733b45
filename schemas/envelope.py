"""CloudEvents 1.0 around our messages: what comes in, and the headers of what goes out.

Source: the Kafka protocol binding (cloudevents/spec). Binary mode carries attributes as `ce_*`
headers; structured mode carries the whole event as the value.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

Headers = Sequence[tuple[str, bytes | None]]
Header = tuple[str, bytes]

STRUCTURED: Final = re.compile(rb"\s*application/cloudevents\+json\s*(;|$)", re.IGNORECASE)
TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
FORBIDDEN: Final = re.compile("[\0-\x1f\x7f-\x9f\ud800-\udfff]")
"""What CloudEvents forbids in a text; PostgreSQL could not hold some of it either."""

LONGEST_ATTRIBUTE: Final = 1_024
"""A longer id or source would not fit an index; it identifies nothing."""


class Envelope(NamedTuple):
    """What stood around the data. id and source are as we may keep them, else None.

    identity: source and id as they were sent, where both were, however odd: they are only hashed.
    """

    id: str | None = None
    source: str | None = None
    traceparent: str | None = None
    is_structured: bool = False
    identity: tuple[str, str] | None = None


PLAIN: Final = Envelope()


def read_envelope(headers: Headers) -> Envelope:
    """The envelope in the headers. Of a repeated header the last counts; unusable is absent.

    The type is not judged: a topic has one contract, whatever its producers call their events.
    """
    if not headers:
        return PLAIN
    found = {name.lower(): value for name, value in headers}
    event_id, source = found.get("ce_id"), found.get("ce_source")
    return Envelope(
        attribute(_text(event_id)),
        attribute(_text(source)),
        trace(_text(found.get("traceparent") or found.get("ce_traceparent"))),
        STRUCTURED.match(found.get("content-type") or b"") is not None,
        (_as_sent(source), _as_sent(event_id)) if source and event_id else None,
    )


def attribute(value: object) -> str | None:
    """A context attribute as it stands, or None where it is none that we could keep."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_ATTRIBUTE:
        return None
    return value if value.isprintable() or not FORBIDDEN.search(value) else None


def trace(value: object) -> str | None:
    """A W3C trace parent as it stands, or None."""
    return value if isinstance(value, str) and TRACEPARENT.fullmatch(value) else None


def _as_sent(value: bytes) -> str:
    """Any bytes as text; what is not UTF-8 is spelled out."""
    return value.decode("utf-8", "backslashreplace")


def _text(value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


_INTEGER: Final = ("ce_sequencetype", b"Integer")
REPLAYED: Final = ("ce_replayed", b"true")
"""Marks a past fact that is sent again, so that no subscriber takes it for news."""


@lru_cache(maxsize=4_096)
def _shared_headers(tenant_id: str, ce_type: str) -> tuple[Header, ...]:
    """What all facts of one type and tenant have in common, made once."""
    return (
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_source", f"/isp-ticketing/{tenant_id}".encode()),
        ("ce_type", ce_type.encode()),
        ("ce_dataschema", f"urn:isp-ticketing:{ce_type}:1".encode()),
        ("ce_tenantid", tenant_id.encode()),
    )


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
) -> list[Header]:
    """The headers of a fact. time: RFC 3339; sequence 0: a rejection, which has none."""
    headers = [
        *_shared_headers(tenant_id, ce_type),
        ("ce_id", ce_id.encode()),
        ("ce_time", time.encode()),
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


_DEAD_LETTER: Final = tuple(f"dlq-{name.replace('_', '-')}" for name in Failure._fields)


def dead_letter_headers(failure: Failure) -> list[Header]:
    """The ten headers that follow a dead letter's own, as text; empty where there is no path."""
    texts = ("" if value is None else str(value) for value in failure)
    return [
        (name, text.encode("utf-8", "backslashreplace"))
        for name, text in zip(_DEAD_LETTER, texts, strict=True)
    ]
