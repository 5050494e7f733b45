"""Which dead letters a command is about, as its options name them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

import typer

from consumer.cli.failures import WRONG_USE, CommandFailed
from consumer.cli.moments import TIME_FORM, UnusableTime, parse_time, stamp
from consumer.settings import Settings
from db.letter_search import Filter

HEX: Final = "hex:"


class State(StrEnum):
    """What has been done about a dead letter."""

    DEAD = "dead"
    REDRIVEN = "redriven"
    FAILED_AGAIN = "failed_again"
    DISCARDED = "discarded"
    RESOLVED_BY_REPLAY = "resolved_by_replay"


Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help=f"Failed then or later: {TIME_FORM}.")
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Failed before then.")]
Topic = Annotated[
    str | None,
    typer.Option("--topic", metavar="NAME", help="Read from this topic, with or without prefix."),
]
Source = Annotated[
    str | None, typer.Option("--source", metavar="URI", help="Of this CloudEvents source.")
]
ErrorClass = Annotated[
    str | None,
    typer.Option("--error", metavar="CLASS", help="Of this class of errors, such as NotJson."),
]
Key = Annotated[
    str | None,
    typer.Option("--key", metavar="KEY", help="With this key: text, or hex:00ff for any bytes."),
]
Text = Annotated[
    str | None,
    typer.Option("--text", metavar="TEXT", help="With this in the error's message, in any case."),
]
InState = Annotated[State | None, typer.Option("--state", help="In this state.")]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options above as they were given, None where they were not."""

    since: str | None = None
    until: str | None = None
    topic: str | None = None
    tenant: str | None = None
    source: str | None = None
    error: str | None = None
    key: str | None = None
    text: str | None = None

    def filter(self, settings: Settings, now: datetime, states: Sequence[str] | None) -> Filter:
        """The filter that they make, with these states. Raises CommandFailed."""
        topic = self.topic
        return Filter(
            since=_time("--since", self.since, now),
            until=_time("--until", self.until, now),
            topics=None if topic is None else sorted({topic, settings.topic_prefix + topic}),
            tenant_id=self.tenant,
            source=self.source,
            error_class=self.error,
            key=None if self.key is None else parse_key(self.key),
            text=self.text,
            states=states,
        )


def parse_key(text: str) -> bytes:
    """A key's bytes; raises CommandFailed."""
    if not text.startswith(HEX):
        return text.encode("utf-8", "surrogateescape")
    try:
        return bytes.fromhex(text.removeprefix(HEX))
    except ValueError:
        raise CommandFailed(
            f"--key {text!r} is not hexadecimal; write pairs of digits, such as hex:00ff.",
            WRONG_USE,
        ) from None


def describe(wanted: Filter) -> str:
    """The filter in a line, for who is asked whether to go on."""
    parts = {
        "since": wanted.since and stamp(wanted.since),
        "until": wanted.until and stamp(wanted.until),
        "topic": wanted.topics and " or ".join(wanted.topics),
        "tenant": wanted.tenant_id,
        "source": wanted.source,
        "error": wanted.error_class,
        "key": wanted.key and wanted.key.decode("utf-8", "backslashreplace"),
        "text": wanted.text and repr(wanted.text),
        "state": wanted.states and " or ".join(wanted.states),
    }
    return ", ".join(f"{name} {value}" for name, value in parts.items() if value)


def _time(name: str, text: str | None, now: datetime) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_time(text, now)
    except UnusableTime as error:
        raise CommandFailed(f"{name}: {error}", WRONG_USE) from None
