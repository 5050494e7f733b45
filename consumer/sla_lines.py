"""Questions about business time, one JSON object a line, and their answers. Asks no server."""

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from handlers.sla.calendar import ALWAYS, BusinessHours, compile_calendar
from schemas.exact_json import NotJson, parse
from schemas.forms import OBJECT, accepted_form
from schemas.policy import Policy
from schemas.policy_check import judge
from schemas.problems import kind_of, written
from schemas.times import Instant

MICROSECOND: Final = timedelta(microseconds=1)
SECOND: Final = 1_000_000
FURTHEST: Final = 4_000_000 * 86_400
"""Seconds: more than lie between the years 1 and 9999. What is further away is as far."""

LONGEST_SHOWN: Final = 60
MOST_CALENDARS: Final = 32
"""Kept ready, since lines often share one; each may take a megabyte."""

PAIR: Final = "a pair of RFC 3339 times with offsets, [from, to] or [from, null]"

Whole = Annotated[int, Field(strict=True)]
Fraction = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Id = Annotated[
    Annotated[str, Field(strict=True)] | Whole | Fraction | None,
    Field(description="text or a number"),
]
Pause = Annotated[tuple[Instant, Instant | None], Field(description=PAIR)]
Answer = dict[str, object]


class Question(BaseModel):
    """What every line has. Other fields are passed over: one file may serve both commands."""

    id: Id = None
    calendar: Annotated[
        dict[str, Any] | None,
        Field(description="an object with timezone and weekly, or null for 24x7"),
    ] = None
    start: Instant
    pauses: Annotated[
        tuple[Pause, ...],
        Field(description=f"a list whose entries are each {PAIR}"),
        BeforeValidator(lambda value: () if value is None else value),
    ] = ()


class DueQuestion(Question):
    """When has so much business time passed since the start."""

    target_seconds: Annotated[Whole | Fraction, Field(description="a number of seconds")]


class ElapsedQuestion(Question):
    """How much business time lies between start and stop."""

    stop: Instant


Q = TypeVar("Q", bound=Question)


class Unanswerable(Exception):
    """A sentence about a line that can't be answered."""


def due(document: Any) -> Answer:  # noqa: ANN401  any JSON value
    """When the target of a line is due. Raises Unanswerable."""
    question = _understood(DueQuestion, document)
    hours = _hours_of(question)
    found = hours.due(question.start, _duration(question.target_seconds), question.pauses)
    return {"id": question.id, "due": None if found is None else found.isoformat()}


def elapsed(document: Any) -> Answer:  # noqa: ANN401  any JSON value
    """The business time between the bounds of a line. Raises Unanswerable."""
    question = _understood(ElapsedQuestion, document)
    found = _hours_of(question).elapsed(question.start, question.stop, question.pauses)
    microseconds = found // MICROSECOND
    whole, rest = divmod(microseconds, SECOND)
    return {"id": question.id, "elapsed_seconds": microseconds / SECOND if rest else whole}


def answer(asked: Callable[[Any], Answer], line: bytes) -> Answer:
    """What is asked about a line; {id, error} where it can't be answered."""
    document = None
    try:
        document = parse(line)
        return asked(document)
    except NotJson as error:
        return {"id": None, "error": str(error)}
    except Unanswerable as error:
        return {"id": _id_of(document), "error": str(error)}


def as_json(found: Answer) -> str:
    """One line of ASCII: an id may hold half of a surrogate pair, which UTF-8 can't write."""
    return json.dumps(found)


def _understood(model: type[Q], document: Any) -> Q:  # noqa: ANN401  any JSON value
    if not isinstance(document, dict):
        raise Unanswerable(f"the line is {kind_of(document)}; expected {OBJECT}")
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise Unanswerable(_sentence(model, error.errors(include_url=False)[0])) from None


def _id_of(document: Any) -> object:  # noqa: ANN401  any JSON value
    try:
        return TypeAdapter[object](Id).validate_python(document["id"])
    except (KeyError, TypeError, ValidationError):
        return None


def _duration(seconds: float) -> timedelta:
    if not -FURTHEST < seconds < FURTHEST:
        return timedelta(seconds=FURTHEST if seconds > 0 else -FURTHEST)
    return timedelta(microseconds=round(Decimal(str(seconds)) * SECOND))


def _hours_of(question: Question) -> BusinessHours:
    if question.calendar is None:
        return ALWAYS
    return _compiled(json.dumps(question.calendar))


@lru_cache(MOST_CALENDARS)
def _compiled(text: str) -> BusinessHours:
    """A calendar, judged as that of a policy is. Raises Unanswerable."""
    judged = judge({"calendars": {"calendar": json.loads(text)}})
    if isinstance(judged, Policy):
        return compile_calendar(judged.calendars["calendar"])
    fault = judged[0]
    raise Unanswerable(fault._replace(path=fault.path[1:]).message)


def _sentence(model: type[Question], detail: ErrorDetails) -> str:
    fields = model.model_fields
    path = [step for step in detail["loc"] if isinstance(step, int) or step in fields]
    value = detail["input"]
    match detail["type"], value:
        case "missing", _:
            problem = "is missing"
        case _, str() if len(value) <= LONGEST_SHOWN:
            problem = f"is {value!r}"
        case _:
            problem = f"is {kind_of(value)}"
    return f"{written(path)}: {problem}; expected {accepted_form(model, path)}"
