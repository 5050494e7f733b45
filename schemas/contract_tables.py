"""The contract as Markdown tables, written from the models: the README can't drift from them."""

from collections.abc import Iterator
from typing import Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from schemas.catalogue import TOPICS, Topic
from schemas.fields import Absent
from schemas.forms import fields_on_the_wire, form_of, is_nullable, model_of
from schemas.message import Message
from schemas.ticket_change_requested import CHANGES, TicketChangeRequested
from schemas.vocabulary import REJECTION_MESSAGES

_FIELD_HEADING: Final = ("field", "rule", "when absent")


def topics_table() -> str:
    """All topics: direction, key, what they carry, how they are kept."""
    rows = (
        (
            f"`{topic.name}`",
            topic.direction,
            topic.key,
            topic.description,
            ", ".join(f"`{ce_type}`" for ce_type in topic.ce_types),
            _keeping(topic),
        )
        for topic in TOPICS
    )
    return _table(("topic", "", "key", "what it says", "`ce_type`", "kept"), rows)


def fields_table(model: type[BaseModel]) -> str:
    """A message's fields, and those of the objects in it."""
    return _table(_FIELD_HEADING, _field_rows(model, ""))


def changes_table() -> str:
    """The kinds of `ticket.change_requested`, each with the fields that only it has."""
    shared = fields_on_the_wire(TicketChangeRequested).keys()
    rows = (
        (f"`{kind}`", *row)
        for kind, model in CHANGES.items()
        for row in _field_rows(model, "", shared | {"change"})
    )
    return _table(("change", *_FIELD_HEADING), rows)


def rejections_table() -> str:
    """The closed list of codes, with what is said to whoever asked."""
    rows = ((f"`{code}`", message) for code, message in REJECTION_MESSAGES.items())
    return _table(("code", "message"), rows)


def contract_tables() -> str:
    """The whole contract: a section for each topic, then the rejection codes."""
    parts = [topics_table()]
    for topic in TOPICS:
        parts += [f"### `{topic.name}`", topic.description, fields_table(topic.model)]
        if topic.model is TicketChangeRequested:
            parts.append(changes_table())
    parts += ["### Rejection codes", rejections_table()]
    return "\n\n".join(parts) + "\n"


def _keeping(topic: Topic) -> str:
    if topic.is_compacted:
        return "compacted: the last record of each key"
    return "by time: longer than its readers may be away"


def _field_rows(
    model: type[BaseModel], prefix: str, without: frozenset[str] | set[str] = frozenset()
) -> Iterator[tuple[str, str, str]]:
    for name, field in fields_on_the_wire(model).items():
        if name in without:
            continue
        is_ours = not issubclass(model, Message)
        rule = f"{form_of(field)}, or null" if is_ours and is_nullable(field) else form_of(field)
        yield f"`{prefix}{name}`", rule, _absence(field)
        inner = model_of(field)
        if inner is not None:
            mark = "[]" if field.annotation is not inner and "list" in form_of(field) else ""
            yield from _field_rows(inner, f"{prefix}{name}{mark}.")


def _absence(field: FieldInfo) -> str:
    """What an absent field, or one that is null, means."""
    meanings = (note.meaning for note in field.metadata if isinstance(note, Absent))
    default = "required" if field.is_required() else _written(field.default)
    return next(meanings, default)


def _written(default: object) -> str:
    match default:
        case None:
            return "none"
        case bool() as flag:
            return str(flag).lower()
        case ():
            return "an empty list"
        case value:
            return str(value)


def _table(heading: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [heading, ("---",) * len(heading), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )
