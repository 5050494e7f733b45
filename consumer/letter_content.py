"""What stands in a record's value, as far as it can be read, and who it claims to be."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from schemas.envelope import Headers, read_envelope
from schemas.exact_json import NotJson, parse


class Unreadable(ValueError):
    """The value is no JSON: what is wrong with it, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Content:
    """A value, parsed. event: all of it where it is a CloudEvent in structured mode, else None.

    data: the message, whatever kind of JSON value that is.
    """

    event: dict[str, Any] | None
    data: Any


class Claim(NamedTuple):
    """What a value says of who its request is, as it stands there; None for what is not named.

    source, id: of a CloudEvent in structured mode. In binary mode no edit reaches them.
    """

    tenant_id: Any = None
    request_id: Any = None
    source: Any = None
    id: Any = None


NO_CLAIM: Final = Claim()


def is_event(headers: Headers) -> bool:
    """Whether these headers announce a CloudEvent in structured mode."""
    return read_envelope(headers).is_structured


def content_of(value: bytes | None, headers: Headers) -> Content:
    """The value, parsed. Raises Unreadable."""
    if value is None:
        raise Unreadable("it has no value (a tombstone)")
    document = _parsed(value)
    if not is_event(headers) or not isinstance(document, dict):
        return Content(None, document)
    return Content(document, _data_of(document))


def claim_of(value: bytes | None, headers: Headers) -> Claim:
    """What the value claims; nothing where it can't be read."""
    try:
        content = content_of(value, headers)
    except Unreadable:
        return NO_CLAIM
    data = content.data if isinstance(content.data, dict) else {}
    event = content.event or {}
    return Claim(
        data.get("tenant_id"), data.get("request_id"), event.get("source"), event.get("id")
    )


def _data_of(event: dict[str, Any]) -> Any:  # noqa: ANN401  any JSON value
    coded = event.get("data_base64")
    if event.get("data") is not None or not isinstance(coded, str):
        return event.get("data")
    try:
        value = base64.b64decode(coded, validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable("its data_base64 is not Base64") from None
    return _parsed(value)


def _parsed(value: bytes) -> Any:  # noqa: ANN401  any JSON value
    try:
        return parse(value)
    except NotJson as error:
        raise Unreadable(f"its value {error.problem}") from None
