"""Documents for the tests of the contract: valid by default, so that a test says only its own."""

import json
from typing import Any, TypeVar

from schemas.decode import Decoded, InvalidRecord, decode
from schemas.message import Message
from schemas.text_patterns import MOST_REPEATED
from schemas.ticket_requested import TicketRequested
from tests.unit.schemas.by_schema import fits

M = TypeVar("M", bound=Message)

MOST_BYTES_TO_JUDGE = 1024 * 1024
"""A validator gathers every fault of a value before it says anything."""

CUSTOMER = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
PARTNER = "7d444840-9dc0-11d1-b245-5ffdce74fad2"
TICKET = "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"


def request(**fields: object) -> dict[str, Any]:
    """A `ticket.requested`; a field that is ... is left out."""
    document = {
        "tenant_id": "north",
        "customer_id": CUSTOMER,
        "title": "No connection",
        "description": "The modem shows a red light.",
    }
    return _with(document, fields)


def change(kind: str, **fields: object) -> dict[str, Any]:
    """A `ticket.change_requested` of this kind, with what only that kind needs left to `fields`."""
    document = {
        "tenant_id": "north",
        "change": kind,
        "ticket_id": TICKET,
        "actor": {"type": "tenant", "id": "agent-7"},
    }
    return _with(document, fields)


def customer(**fields: object) -> dict[str, Any]:
    """A `customer.changed`."""
    return _with({"customer_id": CUSTOMER, "tenant_id": "north"}, fields)


def attachment(**fields: object) -> dict[str, Any]:
    return _with({"name": "log.txt", "url": "https://files.example/log"}, fields)


def encoded(document: object) -> bytes:
    """As JSON, with its escapes; NaN and lone surrogates are written as they are."""
    return json.dumps(document).encode()


def accepted(document: object, model: type[M]) -> M:
    """The message of a valid document, which the published schema lets pass too."""
    assert fits(model, encoded(document)) or is_padded(document), document
    result = decode(model, encoded(document), ())
    assert isinstance(result, Decoded), result
    message: M = result.message
    return message


def refused(document: object, model: type[Message] = TicketRequested) -> InvalidRecord:
    """What is said of an invalid document, be it as bytes already.

    The published schema refuses it too, but for what DIFFERENCES tells of.
    """
    value = document if isinstance(document, bytes) else encoded(document)
    result = decode(model, value, ())
    assert isinstance(result, InvalidRecord), result
    if len(value) < MOST_BYTES_TO_JUDGE and not is_beyond_schemas(result):
        assert not fits(model, value), document
    return result


def is_padded(document: object) -> bool:
    """Whether it has long text with white space around it, which schemas count as text."""
    texts = document.values() if isinstance(document, dict) else ()
    return any(
        isinstance(text, str) and len(text) > MOST_REPEATED and text != text.strip()
        for text in texts
    )


def is_beyond_schemas(problem: InvalidRecord) -> bool:
    """Whether a schema can't know of it: what is no JSON, and what only a database minds."""
    if problem.error_class in {"WrongSize", "WrongValue"}:
        return (problem.path or "").endswith("context")
    return problem.error_class in {"NotJson", "UnstorableText"}


def _with(document: dict[str, Any], fields: dict[str, object]) -> dict[str, Any]:
    return {name: value for name, value in (document | fields).items() if value is not ...}
