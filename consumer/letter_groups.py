"""Dead letters by what they died of and by where they came from. Pure."""

import re
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from db.letter_search import Alike

_QUOTED: Final = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_UUID: Final = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
_INDEX: Final = re.compile(r"\[\d+\]")
_NUMBER: Final = re.compile(r"(?<![\w.-])(?<!SQLSTATE )-?\d[\d,.]*(?<![,.])\b")
_FORM: Final = "; expected "


@dataclass(frozen=True, slots=True)
class Cause:
    """Letters of a topic that died of the same. shape: the message with its values taken out."""

    topic: str
    error_class: str
    shape: str
    count: int
    first_at: datetime
    last_at: datetime
    example: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Letters from one CloudEvents source, or from senders that name none."""

    source: str | None
    count: int
    first_at: datetime
    last_at: datetime
    example: str


def by_cause(alike: Iterable[Alike]) -> list[Cause]:
    """The most frequent first."""
    groups = _merged(
        alike, lambda each: (each.topic, each.error_class, shape_of(each.error_message))
    )
    return _sorted(
        [
            Cause(topic, error_class, shape, *_figures(group))
            for (topic, error_class, shape), group in groups
        ]
    )


def by_source(alike: Iterable[Alike]) -> list[Origin]:
    """The most frequent first."""
    groups = _merged(alike, lambda each: each.source)
    return _sorted([Origin(key, *_figures(group)) for key, group in groups])


def shape_of(message: str) -> str:
    """The message without what differs from record to record.

    Of `path: problem; expected form` the form stays as it is: it belongs to the rule.
    """
    told, sign, form = message.partition(_FORM)
    for pattern, word in ((_UUID, "…"), (_QUOTED, "…"), (_INDEX, "[*]"), (_NUMBER, "N")):
        told = pattern.sub(word, told)
    return f"{told}{sign}{form}"


K = TypeVar("K", bound=Hashable)
G = TypeVar("G", Cause, Origin)


def _merged(alike: Iterable[Alike], key: Callable[[Alike], K]) -> list[tuple[K, list[Alike]]]:
    groups: dict[K, list[Alike]] = {}
    for each in alike:
        groups.setdefault(key(each), []).append(each)
    return list(groups.items())


def _figures(group: list[Alike]) -> tuple[int, datetime, datetime, str]:
    newest = max(group, key=lambda each: each.last_at)
    first_at = min(each.first_at for each in group)
    return sum(each.letters for each in group), first_at, newest.last_at, newest.example


def _sorted(groups: list[G]) -> list[G]:
    return sorted(groups, key=lambda group: (-group.count, group.example))
