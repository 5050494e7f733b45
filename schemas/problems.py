"""What is wrong with a message, in words for whoever sent it. Never quotes what customers wrote."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ValidationError

from schemas.fields import IGNORED, IGNORED_WHOLE
from schemas.vocabulary import PRIORITY_NAMES, ActorType, TicketStatus, TicketType

PRIVATE: Final = frozenset({"title", "description", "service_address", "body", "comment", "name"})
"""Fields whose values are never repeated."""

MOST_SHOWN: Final = 60
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")

_NESTED_FORMS: Final = {
    "actor": "an object with `type` (customer, tenant, partner or platform) and `id`",
    "attachments": "up to 20 objects with name, url (http or https), content_type and size",
    "affected_services": "a list of up to 100 texts of 1 to 100 characters",
    "device_serial_numbers": "a list of up to 100 texts of 1 to 100 characters",
}

_FORMS: Final = _NESTED_FORMS | {
    "request_id": "text of 1 to 255 characters",
    "tenant_id": "1 to 255 of the characters A-Z a-z 0-9 . _ -",
    "customer_id": "a UUID, or an integer (the customer's external id)",
    "title": "text of 3 to 255 characters",
    "description": "text of 1 to 65,536 characters",
    "body": "text of 1 to 65,536 characters",
    "priority": f"one of {', '.join(PRIORITY_NAMES)}",
    "ticket_type": f"one of {', '.join(TicketType)}, or null",
    "assigned_team": "text of 1 to 100 characters, or null",
    "service_address": "text of up to 500 characters, or null",
    "origin_type": f"one of {', '.join(ActorType)}",
    "target_type": f"one of {', '.join(ActorType)}",
    "status": f"one of {', '.join(TicketStatus)}",
    "partner_id": "a UUID",
    "context": "a JSON object of up to 32 KiB",
    "group_key": "text of 1 to 255 characters",
    "requested_at": "an RFC 3339 time with an offset, such as 2026-11-24T09:30:00+01:00",
    "updated_at": "an RFC 3339 time with an offset, such as 2026-11-24T09:30:00+01:00",
    "external_id": "an integer from 0 to 9223372036854775807",
    "name": "text of up to 255 characters, or null",
    "tier": "text of up to 100 characters, or null",
}
"""The accepted form of each field, by the first step of its path."""


class Problem(NamedTuple):
    """One fault. error_class groups faults of a kind; path is None for the value as a whole."""

    error_class: str
    path: str | None
    problem: str
    accepted_form: str


def worst_problem(error: ValidationError) -> Problem:
    """The fault to tell: the first, in the order of the model's fields."""
    details: Sequence[Mapping[str, Any]] = error.errors(include_url=False)
    told = [detail for detail in details if IGNORED_WHOLE not in detail["loc"]]
    return _problem((told or details)[0])


def _problem(detail: Mapping[str, Any]) -> Problem:
    steps = [step for step in detail["loc"] if not str(step).startswith(IGNORED)]
    kind, value = detail["type"], detail["input"]
    if kind == "customer_needed":
        return Problem(
            "Missing",
            "customer_id",
            "is missing",
            f"{_FORMS['customer_id']}, since the origin is the customer",
        )
    if kind == "partner_needed":
        return Problem(
            "Missing", "partner_id", "is missing", "the UUID of the partner that it comes from"
        )
    if kind == "json_invalid":
        reason = detail["ctx"]["error"]
        return Problem(
            "NotJson", None, f"is not JSON ({reason})", "a JSON object (RFC 8259) in UTF-8"
        )
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    path = path.lstrip(".")
    if not path:
        return Problem("NotAnObject", None, f"is {_kind_of(value)}", "a JSON object")
    form = _FORMS.get(str(steps[0]), "the form that the contract gives")
    if kind == "missing":
        return Problem("Missing", path, "is missing", form)
    return Problem(_class_of(kind), path, _say(str(steps[0]), detail), form)


def _class_of(kind: str) -> str:
    if kind.endswith(("_type", "_parsing")) or kind == "none_required":
        return "WrongType"
    if "too_" in kind or kind == "context_size":
        return "WrongSize"
    return "WrongValue"


def _say(name: str, detail: Mapping[str, Any]) -> str:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    match kind:
        case "string_too_short" | "string_too_long":
            return f"is {len(str(value).strip())} characters long"
        case "too_long" | "too_short":
            return f"has {context.get('actual_length', 'too many')} items"
        case "context_size" | "number_range":
            return str(detail["msg"])
        case _:
            pass
    if isinstance(value, str):
        if name in PRIVATE:
            return "is not of the accepted form"
        return f"is {_shortened(value)}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"is the number {_shortened_number(value)}"
    return f"is {_kind_of(value)}"


def _shortened(text: str) -> str:
    shown = text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "…"
    return ascii(shown).replace("\\'", "'") if _UNSTORABLE.search(shown) else repr(shown)


def _shortened_number(value: float) -> str:
    try:
        text = str(value)
    except ValueError:  # Python writes no integers of thousands of digits
        return "of thousands of digits"
    return text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "…"


def _kind_of(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return "text"
        case int() | float():
            return "a number"
        case list() | tuple():
            return "a list"
        case dict():
            return "an object"
        case _:
            return f"of the type {type(value).__name__}"


def unstorable_text(message: BaseModel) -> Problem | None:
    """The first kept text that PostgreSQL can't hold: U+0000 or half of a surrogate pair."""
    for path, text in _texts(message.model_dump(include=set(type(message).model_fields))):
        if _UNSTORABLE.search(text):
            return Problem(
                "UnstorableText",
                path,
                "holds U+0000 or half of a surrogate pair",
                "text that a database can hold",
            )
    return None


def _texts(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield path, value
        case dict():
            for name, item in value.items():
                yield path or "context", str(name)
                yield from _texts(item, f"{path}.{name}" if path else str(name))
        case list() | tuple():
            for index, item in enumerate(value):
                yield from _texts(item, f"{path}[{index}]")
        case _:
            return
