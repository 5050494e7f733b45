"""Dead letters on a page: one line each, or one with its record, the failing place marked."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from consumer.cli.marked_json import marked_lines
from consumer.cli.moments import shown, shown_ms
from consumer.cli.output import print_fields, print_table, say, shortened
from consumer.cli.place import Place
from db.dead_letter_reading import Kept, Summary

MOST_LINES: Final = 200


def place_of(letter: Summary) -> Place:
    """The id of a dead letter."""
    return Place(letter.topic, letter.partition, letter.offset)


def print_letters(letters: Iterable[Summary], now: datetime) -> None:
    """One line each."""
    print_table(
        ("ID", "STATE", "TENANT", "@failed", "why"),
        (
            (
                place_of(letter),
                letter.state,
                letter.tenant_id,
                shown(letter.failed_at, now),
                letter.error_message,
            )
            for letter in letters
        ),
    )


def print_letter(letter: Summary, kept: Kept, now: datetime) -> None:
    """Everything that is known about it."""
    print_fields(
        (
            ("dead letter", place_of(letter)),
            ("state", letter.state),
            ("tenant", letter.tenant_id),
            ("request", letter.request_id),
            ("source", kept.source),
            ("group", kept.group_id),
            ("sent", shown_ms(letter.record_timestamp, now)),
            ("failed", shown(letter.failed_at, now)),
            ("attempts", letter.attempts),
            ("error", letter.error_class),
            ("why", letter.error_message),
            ("passed on", _passed_on(letter)),
            ("key", _text(kept.key)),
        )
    )
    for name, value in kept.headers:
        say(f"header {_text(name)}: {_text(value)}")
    say("\nvalue", "bold")
    if kept.value is None:
        say("(none: a tombstone)")
        return
    lines = marked_lines(kept.value, letter.error_path, letter.error_message)
    for is_marked, line in lines[:MOST_LINES]:
        say(line, "bold red" if is_marked else None)
    if len(lines) > MOST_LINES:
        say(f"... ({len(lines) - MOST_LINES} more lines; --json shows all)", "dim")


def summary_json(letter: Summary) -> dict[str, Any]:
    """The letter without its record."""
    return {"id": str(place_of(letter)), **asdict(letter)}


def letter_json(letter: Summary, kept: Kept) -> dict[str, Any]:
    """The letter with its record; bytes as text, those that are none as escapes."""
    return summary_json(letter) | {
        "key": kept.key,
        "value": kept.value,
        "headers": [[name, value] for name, value in kept.headers],
        "source": kept.source,
        "group_id": kept.group_id,
    }


def _passed_on(letter: Summary) -> str:
    if letter.publish_error is not None:
        return f"no: {letter.publish_error}"
    return "waiting" if letter.is_waiting else f"to {letter.topic}.dlq"


def _text(value: bytes | None) -> str | None:
    return None if value is None else shortened(value.decode("utf-8", "backslashreplace"), 200)
