"""What commands print: lines and tables for people, JSON for programs.

In a terminal tables fold to its width. Piped, every row stays one line, whatever its length.
"""

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final

import orjson
import typer
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

UNLIMITED: Final = 100_000
NOTHING: Final = "-"
LONGEST_SHOWN: Final = 2_000
STAMP_WIDTH: Final = len("2026-01-31T12:00:00Z")

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Tenant = Annotated[
    str | None, typer.Option("--tenant", metavar="TENANT", help="Look in this tenant alone.")
]
Limit = Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="How many at most.")]

GOOD: Final = "green"
BAD: Final = "red"
ODD: Final = "yellow"
QUIET: Final = "dim"

STYLES: Final = {
    "created": GOOD,
    "changed": GOOD,
    "published": GOOD,
    "ok": GOOD,
    "valid": GOOD,
    "rejected": BAD,
    "dead_lettered": BAD,
    "dead": BAD,
    "failed": BAD,
    "invalid": BAD,
    "breached": BAD,
    "parked": ODD,
    "waiting": ODD,
    "held": ODD,
}
"""Words that stand out wherever they stand alone in a cell."""


def console() -> Console:
    """Where results go. Made anew for each command: tests replace sys.stdout."""
    piped = not sys.stdout.isatty() and "FORCE_COLOR" not in os.environ
    return Console(
        file=sys.stdout,
        width=UNLIMITED if piped else None,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=piped,
    )


def say(text: str = "", style: str | None = None) -> None:
    """One line for people."""
    console().print(printable(text), style=style)


def say_below(text: str | Text) -> None:
    """A detail of the line before: indented, also where it folds."""
    detail = text if isinstance(text, Text) else Text(printable(text))
    show(Padding(detail, (0, 0, 0, 5), expand=False))


def show(renderable: RenderableType) -> None:
    """Print it; in a pipe without the blanks that only align what a terminal shows."""
    out = console()
    if out.width != UNLIMITED:
        out.print(renderable)
        return
    with out.capture() as capture:
        out.print(renderable)
    for line in capture.get().splitlines():
        sys.stdout.write(line.rstrip() + "\n")


def print_json(value: object) -> None:
    """One JSON value on one line; times as RFC 3339, bytes as text with escapes."""
    sys.stdout.write(orjson.dumps(value, default=_plain).decode() + "\n")


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows under headings, without any frame."""
    show(rows_table(headings, rows))


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Names and values below each other."""
    show(fields_table(fields))


def rows_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table. Of the headings #x is a number's, @x a moment's, and X is a column never folded."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    for heading in headings:
        name = heading.lstrip("#@")
        table.add_column(
            name.lower(),
            justify="right" if heading.startswith("#") else "left",
            overflow="fold",
            no_wrap=name.isupper(),
            min_width=STAMP_WIDTH if heading.startswith("@") else None,
        )
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    return table


def fields_table(fields: Iterable[tuple[str, object]]) -> Table:
    """A table of names and values."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields:
        table.add_row(name, _cell(value))
    return table


def printable(text: str) -> str:
    """Without control characters, which could change the terminal; line ends and tabs stay."""
    return "".join(
        char if char.isprintable() or char in "\n\t" else char.encode("unicode_escape").decode()
        for char in text
    )


def shortened(text: str, most: int = LONGEST_SHOWN) -> str:
    """The beginning of a long text, saying how much is left out."""
    if len(text) <= most:
        return text
    return f"{text[:most]}... ({len(text) - most} more characters)"


def _cell(value: object) -> Text:
    text = NOTHING if value is None or value == "" else printable(str(value))
    return Text(text, style=STYLES.get(text, ""))


def _plain(value: object) -> Any:  # noqa: ANN401  what orjson takes
    match value:
        case bytes():
            return value.decode("utf-8", "backslashreplace")
        case set() | frozenset():
            return sorted(value)
        case _:
            return str(value)
