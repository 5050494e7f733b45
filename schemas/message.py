"""What all inbound messages share, and the objects that several of them hold."""

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from schemas.fields import ActorId, ActorTypeWord, ContentType, FileName, HttpUrl, Size


class Message(BaseModel):
    """An inbound object: unknown fields are ignored, but can be counted."""

    model_config = ConfigDict(extra="allow", frozen=True, cache_strings="keys")

    nested: ClassVar[tuple[str, ...]] = ()
    """The fields that hold messages again, one or a tuple: where else unknown fields may be."""

    @classmethod
    def wire_form(cls) -> Any:  # noqa: ANN401  a type that mypy can't name
        """The type that a record's value is validated as: this class, or a union below it."""
        return cls

    @classmethod
    def at(cls, path: tuple[int | str, ...]) -> tuple[type["Message"], tuple[int | str, ...]]:
        """The class and the path within it that pydantic means by the path of an error."""
        return cls, path

    def known(self) -> dict[str, Any]:
        """The fields that the contract knows, as they are kept: `model_dump` has all others too."""
        return {name: getattr(self, name) for name in type(self).model_fields}


class Actor(Message):
    """Who asks."""

    type: ActorTypeWord
    id: ActorId | None = None


class Attachment(Message):
    """A file that somebody else keeps."""

    name: FileName
    url: HttpUrl
    content_type: ContentType | None = None
    size: Size | None = None


Attachments = Annotated[
    tuple[Attachment, ...],
    Field(
        max_length=20,
        fail_fast=True,  # or millions of wrong ones would be gathered as millions of errors
        description="a list of up to 20 objects with name, url, content_type and size",
    ),
]
ActorObject = Annotated[Actor, Field(description="an object with type and id")]


def has_unknown_fields(message: Message) -> bool:
    """Whether the message, or one inside it, has fields that no contract knows."""
    if message.__pydantic_extra__:
        return True
    for name in message.nested:
        match getattr(message, name):
            case None | ():
                pass
            case tuple() as inners:
                if any(map(has_unknown_fields, inners)):
                    return True
            case inner:
                if has_unknown_fields(inner):
                    return True
    return False


def unknown_fields(message: Message) -> tuple[str, ...]:
    """The paths of the fields that no contract knows, such as `attachments[0].colour`."""
    return tuple(_unknown(message, "")) if has_unknown_fields(message) else ()


def _unknown(message: Message, prefix: str) -> list[str]:
    paths = [prefix + name for name in message.__pydantic_extra__ or ()]
    for name in message.nested:
        match getattr(message, name):
            case Message() as inner:
                paths += _unknown(inner, f"{prefix}{name}.")
            case tuple() as inners:
                for index, inner in enumerate(inners):
                    paths += _unknown(inner, f"{prefix}{name}[{index}].")
            case _:
                pass
    return paths
