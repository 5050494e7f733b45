"""What `ticketing republish` is to send again, and where to: words that can be acted on."""

import re
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from consumer.cli.fact_choice import Choice
from consumer.cli.failures import WRONG_USE, CommandFailed
from consumer.outgoing import topics_under
from consumer.settings import Settings
from consumer.subscription import DEAD_LETTER_SUFFIX, Subscription
from consumer.topic_entry import LEGAL_NAME
from db.past_facts import Filter, Position
from schemas.catalogue import OUTBOUND_TOPICS

CURSOR: Final = re.compile(r"(\d{1,18}):([A-Za-z0-9._-]+):([0-9a-f-]{36}):(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Errand:
    """What to send again, where to, and how. topic: without the prefix; resume: a cursor."""

    choice: Choice
    topic: str | None = None
    rate: float | None = None
    resume: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """An errand that can be done. topic: the only target, with the prefix."""

    wanted: Filter
    after: Position | None
    topic: str | None
    rate: float | None

    def topic_of(self, prefix: str) -> Callable[[str], str]:
        topic = self.topic
        return topics_under(prefix) if topic is None else lambda _: topic

    def targets(self, prefix: str, types: Collection[str]) -> list[str]:
        """The topics that facts of these types go to."""
        return sorted(set(map(self.topic_of(prefix), types)))


def target_of(settings: Settings, name: str) -> str:
    """The full name of a topic that may be written to. Raises CommandFailed."""
    full = settings.topic_prefix + name
    if LEGAL_NAME.fullmatch(full) is None:
        problem = "is not a legal name of a Kafka topic"
    elif name.endswith(DEAD_LETTER_SUFFIX):
        problem = "is a dead letter topic"
    elif Subscription(settings).role_of(full) is not None:
        problem = "is a topic that the service reads, which would take facts for requests"
    elif name in OUTBOUND_TOPICS:
        problem = "is a topic of ours, which has a type of its own; leave --to-topic out for it"
    else:
        return full
    raise CommandFailed(f"--to-topic: {full} {problem}.", WRONG_USE)


def parse_cursor(text: str) -> Position:
    """What a stopped run told. Raises CommandFailed."""
    found = CURSOR.fullmatch(text.strip())
    with suppress(ValueError):
        if found is not None:
            return Position(int(found[1]), found[2], str(UUID(found[3])), int(found[4]))
    raise CommandFailed(
        f"--resume is {text!r}; give the cursor that the stopped run told, such as"
        " 4711:acme:00000000-0000-4000-8000-000000000000:3.",
        WRONG_USE,
    )


def cursor_text(cursor: Position | None) -> str | None:
    return None if cursor is None else ":".join(map(str, cursor))
