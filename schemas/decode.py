"""From a record's bytes and headers to a message, or a sentence about why not. Never raises."""

import base64
import binascii
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Generic, NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from schemas.envelope import Envelope, Headers, attribute, read_envelope, trace
from schemas.exact_json import NotJson, is_suspicious, parse
from schemas.fields import Message, Uuid
from schemas.party_changed import PartyChanged, PartyDeleted
from schemas.problems import Problem, unstorable_text, worst_problem

M = TypeVar("M", bound=Message)
P = TypeVar("P", bound=PartyChanged)

CONFLUENT_MAGIC: Final = b"\0"
JSON_FORM: Final = "a JSON object (RFC 8259) in UTF-8"


class Decoded(NamedTuple, Generic[M]):
    """A valid message and what stood around it."""

    message: M
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class InvalidRecord:
    """{path}: {problem}; expected {accepted_form}.

    error_class groups causes. tenant_id, request_id and source are what could be read all the
    same, unchecked. path is None when the value as a whole is at fault.
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


@cache
def _adapter(model: type[M]) -> TypeAdapter[M]:
    return TypeAdapter(model)


def decode(model: type[M], value: bytes | None, headers: Headers) -> Decoded[M] | InvalidRecord:
    """Decode plain JSON, or a CloudEvent in binary or structured mode."""
    envelope = read_envelope(headers)
    if value and not envelope.is_structured and not is_suspicious(value):
        try:
            return Decoded(_adapter(model).validator.validate_json(value), envelope)
        except ValidationError as error:
            return _invalid(worst_problem(error), value, envelope)
    return _decode_exactly(model, value, envelope)


def _decode_exactly(  # noqa: PLR0911  one return for each way to fail
    model: type[M], value: bytes | None, envelope: Envelope
) -> Decoded[M] | InvalidRecord:
    if value is None:
        return _unreadable("Tombstone", "is null (a tombstone)", envelope)
    if not value:
        return _unreadable("NotJson", "is empty", envelope)
    try:
        data = parse(value)
        if envelope.is_structured:
            data, envelope = _unwrap(data, envelope)
    except NotJson as error:
        if value.startswith(CONFLUENT_MAGIC):
            problem = "starts with a zero byte, as in the Confluent wire format"
            return _unreadable("NotJson", problem, envelope, "plain JSON without a schema id")
        return _unreadable("NotJson", error.problem, envelope, error.accepted_form)
    except _NotAnEvent as error:
        return InvalidRecord("InvalidEnvelope", error.path, error.problem, error.accepted_form)
    try:
        message = _adapter(model).validate_python(data)
    except ValidationError as error:
        return _invalid(worst_problem(error), data, envelope)
    unstorable = unstorable_text(message)
    if unstorable is not None:
        return _invalid(unstorable, data, envelope)
    return Decoded(message, envelope)


def decode_party(
    model: type[P], key: bytes | None, value: bytes | None, headers: Headers
) -> Decoded[P] | PartyDeleted | InvalidRecord:
    """Decode a record of a compacted topic, where a tombstone deletes the party its key names."""
    if value is not None:
        return decode(model, value, headers)
    try:
        text = (key or b"").decode().strip().strip('"')
        return PartyDeleted(_adapter_of_uuid().validate_python(text))
    except (UnicodeDecodeError, ValidationError):
        return InvalidRecord("Tombstone", "key", "names no party", "the party's id, a UUID")


@cache
def _adapter_of_uuid() -> TypeAdapter[str]:
    return TypeAdapter(Uuid)


def unknown_fields(message: Message) -> tuple[str, ...]:
    """The fields of a message that no contract knows."""
    return tuple(message.__pydantic_extra__ or ())


class _NotAnEvent(Exception):
    def __init__(self, path: str, problem: str, accepted_form: str) -> None:
        self.path = path
        self.problem = problem
        self.accepted_form = accepted_form


def _unwrap(event: Any, outer: Envelope) -> tuple[Any, Envelope]:  # noqa: ANN401  any JSON value
    """The data of a structured event, and its envelope."""
    if not isinstance(event, dict):
        raise _NotAnEvent("value", "is not an object", "a CloudEvent as a JSON object")
    for name in ("id", "source", "type"):
        if attribute(event.get(name)) is None:
            raise _NotAnEvent(name, "is missing or unusable", "text of 1 to 1,024 characters")
    if event.get("specversion") != "1.0":
        raise _NotAnEvent("specversion", "is not supported", '"1.0"')
    envelope = Envelope(
        event["id"],
        event["source"],
        outer.traceparent or trace(event.get("traceparent")),
        is_structured=True,
    )
    if "data_base64" not in event:
        return event.get("data"), envelope
    try:
        data = base64.b64decode(event["data_base64"], validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise _NotAnEvent("data_base64", "is not Base64", "Base64 of a JSON object") from None
    return parse(data), envelope


def _unreadable(
    error_class: str, problem: str, envelope: Envelope, form: str = JSON_FORM
) -> InvalidRecord:
    return InvalidRecord(error_class, None, problem, form, source=envelope.source)


def _invalid(problem: Problem, data: object, envelope: Envelope) -> InvalidRecord:
    if isinstance(data, bytes):
        try:
            data = from_json(data)
        except ValueError:
            data = None
    names = data if isinstance(data, dict) else {}
    tenant_id, request_id = names.get("tenant_id"), names.get("request_id")
    return InvalidRecord(
        problem.error_class,
        problem.path,
        problem.problem,
        problem.accepted_form,
        attribute(tenant_id),
        attribute(request_id),
        envelope.source,
    )
