"""Fields that a message carries and nobody reads, with the one that was probably meant."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from schemas.message import Message


@dataclass(frozen=True, slots=True)
class UnknownField:
    """path: where it stands, such as attachments[0].nmae. nearest: a field that exists, or None."""

    path: str
    nearest: str | None

    def __str__(self) -> str:
        hint = f"; did you mean {self.nearest}?" if self.nearest else ""
        return f"{self.path}: unknown, ignored{hint}"


def unknown_fields(message: Message, prefix: str = "") -> Iterator[UnknownField]:
    """The unknown fields of a message and of the messages inside it."""
    names = [field.alias or name for name, field in type(message).model_fields.items()]
    for name in message.model_extra or ():
        near = get_close_matches(name, names, n=1, cutoff=0.6)
        yield UnknownField(prefix + name, prefix + near[0] if near else None)
    for name, value in message:
        match value:
            case Message():
                yield from unknown_fields(value, f"{prefix}{name}.")
            case tuple():
                for index, item in enumerate(value):
                    if isinstance(item, Message):
                        yield from unknown_fields(item, f"{prefix}{name}[{index}].")
            case _:
                pass
