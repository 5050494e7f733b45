"""What is wrong with a message, in words for whoever sent it. Never quotes what customers wrote."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.fields import IGNORED
from schemas.forms import OBJECT, Step, accepted_form
from schemas.message import Message
from schemas.vocabulary import ChangeKind

SHOWN: Final = frozenset(
    (
        *("tenant_id", "request_id", "customer_id", "partner_id", "ticket_id", "ticket_number"),
        *("external_id", "priority", "ticket_type", "origin_type", "target_type", "type"),
        *("sender_type", "change", "status", "new_status", "is_internal", "expected_sequence"),
        *("requested_at", "occurred_at", "updated_at", "level", "rating", "size"),
    )
)
"""Fields whose values may be repeated: never one that holds words, names or addresses."""

MOST_SHOWN: Final = 60
LONGEST_PATH: Final = 255
STORABLE: Final = "text that a database can hold"


class Problem(NamedTuple):
    """One fault. error_class groups faults of a kind; path is None for the value as a whole."""

    error_class: str
    path: str | None
    problem: str
    accepted_form: str


def worst_problem(model: type[Message], error: ValidationError) -> Problem:
    """The fault to tell: the first, in the order of the model's fields."""
    details = error.errors(include_url=False)
    told = [detail for detail in details if detail["type"] != "none_required"]
    return _problem(model, told[0])


def _problem(model: type[Message], detail: ErrorDetails) -> Problem:
    kind, context = detail["type"], detail.get("ctx", {})
    holder, steps = model.at(detail["loc"])
    path = [step for step in steps if not str(step).startswith(IGNORED)]
    if kind in {"needed", "conflict"}:  # rules of a whole message name the field themselves
        path = [*path, context["path"]]
    elif kind.startswith("union_tag"):
        return _untold(context["discriminator"].strip("'"), detail)
    if not path:
        return Problem("NotAnObject", None, f"is {kind_of(detail['input'])}", OBJECT)
    form = accepted_form(holder, path)
    return Problem(_class_of(kind), written(path), _say(str(path[-1]), detail), form)


def _untold(name: str, detail: ErrorDetails) -> Problem:
    """The field that would tell the members of a union apart does not."""
    value = detail["input"].get(name)
    form = f"one of {', '.join(ChangeKind)}"
    if value is None:
        return Problem("Missing", name, "is missing", form)
    return Problem("WrongValue", name, _shown(value), form)


def written(path: Sequence[Step]) -> str:
    """A path as people write it: `attachments[0].url`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


def _class_of(kind: str) -> str:
    match kind:
        case "missing" | "needed":
            return "Missing"
        case "context_size":
            return "WrongSize"
        case "string_unicode" | "unstorable":
            return "UnstorableText"
        case _ if "too_" in kind:
            return "WrongSize"
        case _ if kind.endswith("_type"):
            return "WrongType"
        case _:
            return "WrongValue"


def _say(name: str, detail: ErrorDetails) -> str:  # noqa: PLR0911  one for each kind
    value, context = detail["input"], detail.get("ctx", {})
    match detail["type"]:
        case "missing":
            return "is missing"
        case "string_too_short" | "string_too_long":
            return _length_of(value)
        case "too_long":
            return f"has {context.get('actual_length') or 'too many'} items"
        case "string_unicode":
            return "holds half of a surrogate pair"
        case "needed" | "conflict" | "context_size" | "number_range" | "unstorable" | "not_json":
            return detail["msg"]
        case _ if name in SHOWN:
            return _shown(value)
        case "string_pattern_mismatch" | "enum":
            return f"is {kind_of(value)} of another form"
        case _:
            return f"is {kind_of(value)}"


def _length_of(text: object) -> str:
    length = len(str(text).strip())
    return f"is {length:,} characters long" if length else "is empty"


def _shown(value: object) -> str:
    match value:
        case str():
            return f"is {_shortened(value)!r}"
        case bool() | None:
            return f"is {kind_of(value)}"
        case int() | float():
            return f"is {_digits(value)}"
        case _:
            return f"is {kind_of(value)}"


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def _digits(number: float) -> str:
    return f"the number {number}" if abs(number) < 10**20 else "a number of more than 20 digits"


def kind_of(value: object) -> str:  # noqa: PLR0911  one for each kind
    """What kind of JSON value this is, as people say it."""
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


def unstorable_text(message: Message) -> Problem | None:
    """The first kept text with U+0000: PostgreSQL can't hold it, but JSON and pydantic can."""
    path = _path_to_nul(message)
    if path is None:
        return None
    return Problem("UnstorableText", written(path)[:LONGEST_PATH], "holds U+0000", STORABLE)


def _path_to_nul(value: object) -> tuple[Step, ...] | None:
    steps: Iterable[tuple[Step, object]]
    match value:
        case str():
            return () if "\0" in value else None
        case Message():
            steps = [(name, getattr(value, name)) for name in type(value).model_fields]
        case dict():
            if any("\0" in name for name in value):
                return ()
            steps = value.items()
        case tuple() | list():
            steps = enumerate(value)
        case _:
            return None
    for step, inner in steps:
        path = _path_to_nul(inner)
        if path is not None:
            return (step, *path)
    return None
