"""Dead letters on a page: one line each, or one with its record, the failing place marked."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from consumer.cli.marked_json import MarkedLine, marked_lines
from consumer.cli.moments import shown, shown_ms
from consumer.cli.output import NOTHING, print_fields, print_table, say, shortened
from consumer.cli.place import Place
from consumer.letter_content import Unreadable, content_of, is_event
from consumer.letter_difference import Difference, differences
from consumer.letter_identity import Identity
from db.dead_letter_reading import Kept, Summary
from db.letter_steps import Taken
from db.ticket_changes import LaterChange
from handlers.record import headers_of
from schemas.envelope import Headers

MOST_LINES: Final = 200
CODED: Final = "data_base64"
ENVELOPE_AT_FAULT: Final = "InvalidEnvelope"


@dataclass(frozen=True, slots=True)
class Page:
    """A letter with everything about it. identity: None where it would have none.

    later: what actors did since to the ticket that it is a change of; None for what is no change.
    """

    letter: Summary
    kept: Kept
    steps: Sequence[Taken]
    identity: Identity | None
    later: Sequence[LaterChange] | None

    @property
    def headers(self) -> Headers:
        names = [name for name, _ in self.kept.headers]
        return headers_of(names, [value for _, value in self.kept.headers])


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


def print_letter(page: Page, now: datetime) -> None:
    """Everything that is known about it."""
    letter, kept = page.letter, page.kept
    print_fields(
        (
            ("dead letter", place_of(letter)),
            ("state", _state(letter)),
            ("tenant", letter.tenant_id),
            ("request", letter.request_id),
            ("identity", page.identity),
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
        say(f"header {_text(name)}: {NOTHING if value is None else _text(value)}")
    _print_steps(page, now)
    _print_later(page, now)
    say("\nvalue", "bold")
    if kept.value is None:
        say("(none: a tombstone)")
        return
    coded = _coded_data(kept.value, page.headers)
    path = (
        _path_in(letter, "data" if coded is None else CODED)
        if is_event(page.headers)
        else letter.error_path
    )
    _print_lines(marked_lines(kept.value, path, letter.error_message))
    if coded is not None:
        say("\ndata, decoded from data_base64", "bold")
        _print_lines(marked_lines(coded, letter.error_path, letter.error_message))


def summary_json(letter: Summary) -> dict[str, Any]:
    """The letter without its record."""
    return {"id": str(place_of(letter)), **asdict(letter)}


def letter_json(page: Page) -> dict[str, Any]:
    """The letter with everything about it; bytes as text, those that are none as escapes."""
    kept = page.kept
    return summary_json(page.letter) | {
        "key": kept.key,
        "value": kept.value,
        "headers": [[name, value] for name, value in kept.headers],
        "source": kept.source,
        "group_id": kept.group_id,
        "identity": None if page.identity is None else asdict(page.identity),
        "steps": [_step_json(step, page) for step in page.steps],
        "later_changes": None
        if page.later is None
        else [later_json(change) for change in page.later],
    }


def later_json(change: LaterChange) -> dict[str, Any]:
    """What came later, for programs."""
    return {
        "ticket_id": change.ticket_id,
        "sequence": change.sequence,
        "type": change.ce_type,
        "actor": {"type": change.actor_type, "id": change.actor_id},
        "at": change.occurred_at,
    }


def _step_json(step: Taken, page: Page) -> dict[str, Any]:
    changes = _changes(step, page)
    return {
        **step._asdict(),
        "edits": None
        if changes is None
        else [{"path": path, "from": before, "to": after} for path, before, after in changes],
    }


def _print_steps(page: Page, now: datetime) -> None:
    if not page.steps:
        return
    say("\nsteps", "bold")
    print_table(
        ("#no.", "@when", "WHO", "STATE", "OUTCOME", "why"),
        (
            (step.number, shown(step.at, now), step.actor, step.state, step.outcome, step.reason)
            for step in page.steps
        ),
    )
    for step in page.steps:
        if step.value is None:
            continue
        changes = _changes(step, page)
        if changes is None:
            say(f"step {step.number} handled another value: {_text(step.value)}")
        for path, before, after in changes or ():
            say(f"step {step.number} edited {path}: {_json(before)} -> {_json(after)}")


def _print_later(page: Page, now: datetime) -> None:
    if not page.later:
        return
    say("\nits ticket has changed since", "bold")
    print_table(
        ("#no.", "TYPE", "WHO", "@when"),
        (
            (
                change.sequence,
                change.ce_type,
                " ".join(filter(None, (change.actor_type, change.actor_id))),
                shown(change.occurred_at, now),
            )
            for change in page.later
        ),
    )


def _print_lines(lines: Sequence[MarkedLine]) -> None:
    for is_marked, line in lines[:MOST_LINES]:
        say(line, "bold red" if is_marked else None)
    if len(lines) > MOST_LINES:
        say(f"... ({len(lines) - MOST_LINES} more lines; --json shows all)", "dim")


def _changes(step: Taken, page: Page) -> list[Difference] | None:
    """What an edit changed; None without one, and where the values can't be compared."""
    if step.value is None:
        return None
    return differences(page.kept.value, step.value, page.headers)


def _path_in(letter: Summary, data: str) -> str | None:
    """Where the fault is in an event: but for its envelope's, paths are those of its data."""
    path = letter.error_path
    if path in {None, data} or letter.error_class == ENVELOPE_AT_FAULT:
        return path
    return f"{data}.{path}"


def _coded_data(value: bytes, headers: Headers) -> bytes | None:
    """The data of an event that carries it as Base64."""
    try:
        event = content_of(value, headers).event or {}
        coded = event.get(CODED)
        if event.get("data") is not None or not isinstance(coded, str):
            return None
        return base64.b64decode(coded, validate=True)
    except (Unreadable, ValueError):
        return None


def _state(letter: Summary) -> str:
    return letter.state if letter.outcome is None else f"{letter.state} ({letter.outcome})"


def _passed_on(letter: Summary) -> str:
    if letter.publish_error is not None:
        return f"no: {letter.publish_error}"
    return "waiting" if letter.is_waiting else f"to {letter.topic}.dlq"


def _json(value: object) -> str:
    return shortened(orjson.dumps(value, default=str).decode(), 200)


def _text(value: bytes | None) -> str | None:
    """Bytes of a sender's on one line: with line ends they could look like lines of ours."""
    if value is None:
        return None
    text = shortened(value.decode("utf-8", "backslashreplace"), 200)
    return text.replace("\n", "\\n").replace("\t", "\\t")
