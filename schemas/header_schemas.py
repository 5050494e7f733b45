"""Headers as JSON Schema: those that a sender may set, of facts, and of dead letters."""

from typing import Any, Final

from schemas.envelope import Failure
from schemas.json_schema import Contract

HeaderSchema = dict[str, Any]

_REJECTED: Final = "ticket.rejected"
_TRACE: Final = {
    "type": "string",
    "description": "W3C trace context of what asked; it is carried through to the facts.",
}
_CE_ID: Final = {"type": "string", "description": "With the source it tells who a request is."}

SENDERS_HEADERS: Final[HeaderSchema] = {
    "type": "object",
    "description": "All are optional; what can't be read counts as absent.",
    "properties": {
        "content-type": {
            "type": "string",
            "description": "application/cloudevents+json: the value is a whole CloudEvent.",
        },
        "ce_id": _CE_ID,
        "ce_source": {"type": "string", "description": "Who sent the event."},
        "ce_type": {"type": "string", "description": "Not judged: a topic has one contract."},
        "ce_specversion": {"type": "string", "examples": ["1.0"]},
        "traceparent": _TRACE,
    },
}

_OF_EVERY_FACT: Final[HeaderSchema] = {
    "content-type": {"type": "string", "const": "application/json"},
    "ce_specversion": {"type": "string", "const": "1.0"},
    "ce_id": {
        "type": "string",
        "format": "uuid",
        "description": "The same for every occurrence of a fact.",
    },
    "ce_source": {"type": "string", "pattern": "^/isp-ticketing/", "description": "Whose it is."},
    "ce_time": {"type": "string", "format": "date-time", "description": "When it was decided."},
    "ce_tenantid": {"type": "string", "description": "The tenant."},
}
_OF_TICKETS: Final[HeaderSchema] = {
    "ce_subject": {
        "type": "string",
        "pattern": "^TCK-[0-9A-F]{12}$",
        "description": "The ticket's number.",
    },
    "ce_sequence": {
        "type": "string",
        "pattern": "^[1-9][0-9]*$",
        "description": "Counts a ticket's facts over all topics from 1 without gaps.",
    },
    "ce_sequencetype": {"type": "string", "const": "Integer"},
}
_SOMETIMES: Final[HeaderSchema] = {
    "ce_causationid": {
        "type": "string",
        "description": "The causing event's id, else the request id; absent where there is none.",
    },
    "ce_replayed": {
        "type": "string",
        "const": "true",
        "description": "It is a past fact that was sent again, and no news.",
    },
    "traceparent": _TRACE,
}
_MEANINGS: Final = {
    "dlq-topic": "Where the record came from.",
    "dlq-timestamp": "The record's own, in milliseconds since 1970.",
    "dlq-group": "The consumer group that could not handle it.",
    "dlq-error-class": "Groups causes.",
    "dlq-error-message": "The field, its problem and the accepted form, in one sentence.",
    "dlq-error-path": "The field at fault; empty for the value as a whole.",
    "dlq-failed-at": "RFC 3339.",
}
_COUNTED: Final = {"dlq-partition", "dlq-offset", "dlq-timestamp", "dlq-attempts"}


def fact_header_schema(contract: Contract) -> HeaderSchema:
    """The headers of one kind of fact."""
    always: HeaderSchema = _OF_EVERY_FACT | {
        "ce_type": {"type": "string", "const": contract.name},
        "ce_dataschema": {"type": "string", "const": contract.id},
    }
    if contract.name != _REJECTED:
        always |= _OF_TICKETS
    return {"type": "object", "required": list(always), "properties": always | _SOMETIMES}


def dead_letter_header_schema() -> HeaderSchema:
    """What is appended to the record's own headers."""
    names = [f"dlq-{name.replace('_', '-')}" for name in Failure._fields]
    return {
        "type": "object",
        "description": "The record's own headers, and these after them, as text.",
        "required": names,
        "properties": {
            name: {"type": "string"}
            | ({"pattern": "^-?[0-9]+$"} if name in _COUNTED else {})
            | ({"description": _MEANINGS[name]} if name in _MEANINGS else {})
            for name in names
        },
    }
