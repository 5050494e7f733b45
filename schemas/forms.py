"""What a field accepts, in words: read from the descriptions of the types that check it."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from types import NoneType
from typing import Any, Final, TypeVar, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

OBJECT: Final = "a JSON object"

Step = str | int
F = TypeVar("F")


def accepted_form(model: type[BaseModel], path: Sequence[Step]) -> str:
    """The accepted form of the field at this path, or of the nearest one around it."""
    form, holder, annotation = OBJECT, model, None
    for step in path:
        if isinstance(step, int):
            annotation = _found(annotation, partial(_item, step))
            form = _found(annotation, _described) or form
        else:
            field = fields_on_the_wire(holder).get(step)
            if field is None:
                break
            annotation = field.annotation
            form = form_of(field)
        holder = _found(annotation, _model) or holder
    return form


@cache
def fields_on_the_wire(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """A model's fields under the names that messages use."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def form_of(field: FieldInfo) -> str:
    """What this field accepts."""
    return field.description or _found(field.annotation, _described) or OBJECT


def model_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model of the objects that this field holds, one or a list of them."""
    return _found(field.annotation, _model)


def _found(annotation: object, look: Callable[[Any], F | None]) -> F | None:
    """What the annotation has, or the first of its parts that has it."""
    found = look(annotation)
    if found is not None:
        return found
    parts = (_found(part, look) for part in get_args(annotation))
    return next((part for part in parts if part is not None), None)


def _described(annotation: object) -> str | None:
    notes = getattr(annotation, "__metadata__", ())
    return next((note.description for note in notes if isinstance(note, FieldInfo)), None)


def _model(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


def _item(index: int, annotation: object) -> object | None:
    """What a list may hold at this place: the same everywhere, or of a pair one after the other."""
    if get_origin(annotation) is not tuple:
        return None
    items = get_args(annotation)
    found: object = items[0 if items[-1] is ... else min(index, len(items) - 1)]
    return found


def is_nullable(field: FieldInfo) -> bool:
    """Whether the field's own type admits null."""
    return NoneType in get_args(field.annotation)
