"""From a record's bytes and headers to a message, or a sentence about why not. Never raises.

Ordinary records take one pass of pydantic's parser. What that refuses, and the few that it may
have read too generously, are read again strictly: that second reading has the last word.
"""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Generic, NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError

from schemas.envelope import PLAIN, Envelope, Headers, attribute, read_envelope, trace
from schemas.exact_json import NotJson, has_many_brackets, holds_constant, may_hold_nul, parse
from schemas.fields import ShortText, TenantId, Uuid
from schemas.forms import OBJECT
from schemas.message import Message, has_unknown_fields
from schemas.party_changed import PartyChanged, PartyDeleted
from schemas.problems import Problem, kind_of, unstorable_text, worst_problem

M = TypeVar("M", bound=Message)
P = TypeVar("P", bound=PartyChanged)

MOST_QUICK_BYTES: Final = 256 * 1024
"""Above it the strict reading comes first: each error of the quick one would copy the value."""

_BRACE: Final = ord("{")
_TENANT: Final = re.compile(rb'"tenant_id"\s*:\s*"([A-Za-z0-9._-]{1,255})"')
_REQUEST: Final = re.compile(rb'"request_id"\s*:\s*"([^"\\\x00-\x1f]{1,255})"')


class Decoded(NamedTuple, Generic[M]):
    """A valid message and what stood around it."""

    message: M
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class InvalidRecord:
    """{path}: {problem}; expected {accepted_form}.

    error_class groups causes. tenant_id, request_id and source are what could be read all the
    same. path is None when the value as a whole is at fault.
    """

    error_class: str
    path: str | None
    problem: str
    accepted_form: str
    tenant_id: str | None = None
    request_id: str | None = None
    source: str | None = None

    @property
    def message(self) -> str:
        """One sentence: the field, its problem, the accepted form."""
        return f"{self.path or 'value'}: {self.problem}; expected {self.accepted_form}"


def decode(model: type[M], value: bytes | None, headers: Headers) -> Decoded[M] | InvalidRecord:
    """Decode plain JSON, or a CloudEvent in binary or structured mode."""
    envelope = PLAIN
    if headers:
        envelope = read_envelope(headers)
        if envelope.is_structured:
            return _decode_event(model, value, envelope)
    if not value or len(value) > MOST_QUICK_BYTES:
        return _decode_strictly(model, value, envelope)
    try:
        message = _reader(model)(value)
    except ValidationError:
        return _decode_strictly(model, value, envelope)
    # What it checked by a type holds neither NaN nor deep nesting. A context looks after itself
    # but for its depth; unknown fields may hold anything, and are at the top or in a second object.
    if may_hold_nul(value) or (
        (message.__pydantic_extra__ or value.find(_BRACE, 1) > 0) and _may_be_lax(message, value)
    ):
        return _decode_strictly(model, value, envelope)
    return Decoded(message, envelope)


def decode_party(
    model: type[P], key: bytes | None, value: bytes | None, headers: Headers
) -> Decoded[P] | PartyDeleted | InvalidRecord:
    """Decode a record of a compacted topic, where a tombstone deletes the party its key names."""
    if value is not None:
        return decode(model, value, headers)
    try:
        text = (key or b"").decode().strip().strip('"')
        return PartyDeleted(_adapter(Uuid).validate_python(text))
    except (UnicodeDecodeError, ValidationError):
        return InvalidRecord("Tombstone", "key", "names no party", "the party's id, a UUID")


@cache
def _adapter(form: Any) -> TypeAdapter[Any]:  # noqa: ANN401  any type, also one without a class
    return TypeAdapter(form)


@cache
def _reader(model: type[M]) -> Callable[[bytes], M]:
    return _adapter(model.wire_form()).validator.validate_json


def _may_be_lax(message: Message, value: bytes) -> bool:
    """Whether the first reading may have let something pass where it had no type to check."""
    return has_many_brackets(value) or (has_unknown_fields(message) and holds_constant(value))


def _decode_strictly(
    model: type[M], value: bytes | None, envelope: Envelope
) -> Decoded[M] | InvalidRecord:
    data = _read(value, envelope)
    return data if isinstance(data, InvalidRecord) else _validate(model, data, value, envelope)


def _decode_event(
    model: type[M], value: bytes | None, outer: Envelope
) -> Decoded[M] | InvalidRecord:
    """The data of an event in structured mode. Paths are those of the data, as in other modes."""
    event = _read(value, outer)
    if isinstance(event, InvalidRecord):
        return event
    problem = _envelope_problem(event)
    if problem is not None:
        return _invalid(problem, event.get("data") if isinstance(event, dict) else None, outer)
    traceparent = outer.traceparent or trace(event.get("traceparent"))
    envelope = Envelope(
        event["id"],
        event["source"],
        traceparent,
        is_structured=True,
        identity=(event["source"], event["id"]),
    )
    data: object = event.get("data")
    if data is None and isinstance(event.get("data_base64"), str):
        try:
            value = base64.b64decode(event["data_base64"], validate=True)
        except ValueError:
            problem = Problem(
                "InvalidEnvelope", "data_base64", "is not Base64", f"Base64 of {OBJECT}"
            )
            return _invalid(problem, None, envelope)
        data = _read(value, envelope)
        if isinstance(data, InvalidRecord):
            return data
    if not isinstance(data, dict):
        problem = Problem("NotAnObject", "data", f"is {kind_of(data)}", OBJECT)
        return _invalid(problem, None, envelope)
    return _validate(model, data, value, envelope)


def _envelope_problem(event: object) -> Problem | None:
    """What an event in structured mode lacks. Source: CloudEvents 1.0, required attributes."""
    if not isinstance(event, dict):
        return Problem("InvalidEnvelope", None, "is not an object", "a CloudEvent, a JSON object")
    for name in ("id", "source", "type"):
        if attribute(event.get(name)) is None:
            problem = "is missing" if event.get(name) is None else "is not usable"
            return Problem("InvalidEnvelope", name, problem, "text of 1 to 1,024 characters")
    if event.get("specversion") != "1.0":
        problem = "is missing" if event.get("specversion") is None else "is another version"
        return Problem("InvalidEnvelope", "specversion", problem, "1.0")
    if event.get("data") is None and event.get("data_base64") is None:
        return Problem("InvalidEnvelope", "data", "is missing", OBJECT)
    return None


def _read(value: bytes | None, envelope: Envelope) -> Any | InvalidRecord:  # noqa: ANN401  any JSON value
    if value is None:
        problem = Problem("Tombstone", None, "is null (a tombstone)", OBJECT)
        return _invalid(problem, None, envelope)
    if not value:
        return _invalid(Problem("NotJson", None, "is empty", OBJECT), None, envelope)
    try:
        return parse(value)
    except NotJson as error:
        problem = Problem("NotJson", None, error.problem, error.accepted_form)
        return _invalid(problem, value, envelope)


def _validate(
    model: type[M], data: object, value: bytes | None, envelope: Envelope
) -> Decoded[M] | InvalidRecord:
    """Validate what was parsed from this value."""
    if isinstance(data, dict) and not all(map(_is_text, data)):
        data = {name: item for name, item in data.items() if _is_text(name)}
    try:
        message: M = _adapter(model.wire_form()).validator.validate_python(data)
    except ValidationError as error:
        return _invalid(worst_problem(model, error), data, envelope)
    unstorable = unstorable_text(message) if value and may_hold_nul(value) else None
    if unstorable is not None:
        return _invalid(unstorable, data, envelope)
    return Decoded(message, envelope)


def _is_text(name: str) -> bool:
    """False with half a surrogate pair: no contract has such a name, and pydantic fails on it."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _invalid(problem: Problem, data: object, envelope: Envelope) -> InvalidRecord:
    """data: what could be parsed, or the bytes where nothing could."""
    return InvalidRecord(
        *problem,
        tenant_id=_legible(data, "tenant_id", TenantId, _TENANT),
        request_id=_legible(data, "request_id", ShortText, _REQUEST),
        source=envelope.source,
    )


def _legible(data: object, name: str, form: object, pattern: re.Pattern[bytes]) -> str | None:
    """A field as far as a broken record still tells it: for finding the record, not for acting."""
    text: object = None
    if isinstance(data, dict):
        text = data.get(name)
    elif isinstance(data, bytes) and (found := pattern.search(data)):
        text = found[1].decode(errors="replace")
    try:
        value: str = _adapter(form).validate_python(text)
    except ValidationError:
        return None
    return None if "\0" in value else value
