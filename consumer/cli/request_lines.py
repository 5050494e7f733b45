"""Requests in a file: one JSON object a line, or one document that holds one or several."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer

from consumer.cli.failures import WRONG_USE, CommandFailed

STDIN: Final = "-"

File = Annotated[
    str,
    typer.Argument(metavar="FILE|-", help="JSON lines, a JSON array or one object; - is stdin."),
]

Line = tuple[int, bytes]
"""The number of a line (or of an array's element), from 1, and its bytes as they stand."""


def read_lines(file: str) -> Iterator[Line]:
    """The requests of a file, none of them judged. Raises CommandFailed when it can't be read."""
    content = read_bytes(file)
    document = _document(content)
    if document is None:
        for number, line in enumerate(content.split(b"\n"), 1):
            if stripped := line.strip():
                yield number, stripped
    elif isinstance(document, list):
        for number, element in enumerate(document, 1):
            yield number, orjson.dumps(element)
    else:
        yield 1, content.strip()


def read_bytes(file: str) -> bytes:
    """The whole of a file or of stdin."""
    try:
        return sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
    except OSError as error:
        raise CommandFailed(
            f"{file} can't be read: {error.strerror or error}.", WRONG_USE
        ) from None


def _document(content: bytes) -> Any:  # noqa: ANN401  a list, an object or None
    """The content as one JSON document, where it is an array or an object over several lines."""
    if not content.lstrip().startswith((b"[", b"{")):
        return None
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, list | dict) else None
