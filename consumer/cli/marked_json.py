"""JSON over several lines, with the place at fault marked."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from consumer.cli.output import shortened

STEP: Final = re.compile(r"[^.\[\]]+")
INDENT: Final = "  "
LONGEST_STRING: Final = 300
LONGEST_TEXT: Final = 4_000
DEEPEST: Final = 100

MarkedLine = tuple[bool, str]
"""Whether the fault is here, and the line."""


def marked_lines(value: bytes, path: str | None, problem: str) -> list[MarkedLine]:
    """The value for people. path: as errors name it, such as attachments[0].name.

    What isn't JSON is shown as text, its unreadable bytes as escapes.
    """
    try:
        document = json.loads(value)
        lines = list(_lines(document, (), "", ""))
    except (ValueError, RecursionError):
        text = shortened(value.decode("utf-8", "backslashreplace"), LONGEST_TEXT)
        return [(False, line) for line in text.splitlines()]
    at = _nearest(path, [where for where, _ in lines])
    return [
        (True, f"{line}   <-- {problem}") if at is not None and where == at else (False, line)
        for where, line in lines
    ]


def _lines(
    value: Any,  # noqa: ANN401  any JSON value
    path: tuple[str, ...],
    indent: str,
    name: str,
) -> Iterator[tuple[tuple[str, ...] | None, str]]:
    """Each line with the path that begins there; closing brackets begin none."""
    if len(path) > DEEPEST:
        raise RecursionError
    match value:
        case dict() if value:
            yield path, f"{indent}{name}{{"
            for key, item in value.items():
                label = f"{json.dumps(key, ensure_ascii=False)}: "
                yield from _lines(item, (*path, key), indent + INDENT, label)
            yield None, f"{indent}}}"
        case list() if value:
            yield path, f"{indent}{name}["
            for index, item in enumerate(value):
                yield from _lines(item, (*path, str(index)), indent + INDENT, "")
            yield None, f"{indent}]"
        case _:
            text = json.dumps(value, ensure_ascii=False)
            yield path, f"{indent}{name}{shortened(text, LONGEST_STRING)}"


def _nearest(path: str | None, places: list[tuple[str, ...] | None]) -> tuple[str, ...] | None:
    """The place that the path names, or the deepest around it that exists: a field is missing."""
    if path is None:
        return None
    steps = tuple(STEP.findall(path))
    known = {place for place in places if place is not None}
    for length in range(len(steps), -1, -1):
        if steps[:length] in known:
            return steps[:length]
    return ()
