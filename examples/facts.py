"""A fact as a subscriber reads it off Kafka: a CloudEvent in binary mode."""

import json
from dataclasses import dataclass
from typing import Any, Self

from confluent_kafka import Message


@dataclass(frozen=True, slots=True)
class Fact:
    """sequence: counts the ticket's facts over all topics; None: a rejection, which has none."""

    type: str
    ticket: str
    sequence: int | None
    is_replayed: bool
    topic: str
    partition: int
    offset: int
    data: dict[str, Any]

    @classmethod
    def read(cls, message: Message) -> Self:
        headers = _texts(message)
        sequence = headers.get("ce_sequence")
        return cls(
            type=headers["ce_type"],
            ticket=(message.key() or b"").decode(),
            sequence=None if sequence is None else int(sequence),
            is_replayed=headers.get("ce_replayed") == "true",
            topic=str(message.topic()),
            partition=message.partition() or 0,
            offset=message.offset() or 0,
            data=json.loads(message.value() or b""),
        )

    def line(self) -> str:
        """What the examples print of it."""
        return json.dumps({"type": self.type, "ticket": self.ticket, "sequence": self.sequence})


def _texts(message: Message) -> dict[str, str]:
    """The headers by name. All of a fact's are text."""
    headers: list[tuple[str, bytes | None]] = list(message.headers() or ())  # type: ignore[arg-type]  # a list of pairs, though typed as more
    return {name: (value or b"").decode() for name, value in headers}
