"""Where a record stands, as operators write it: the id of a dead letter, too."""

import re
from dataclasses import dataclass
from typing import Final

from consumer.cli.failures import WRONG_USE, CommandFailed

PLACE_FORM: Final = "TOPIC:PARTITION:OFFSET"
PLACE: Final = re.compile(r"(?P<topic>[A-Za-z0-9._-]+):(?P<partition>\d{1,9}):(?P<offset>\d{1,18})")


@dataclass(frozen=True, slots=True)
class Place:
    """A record's coordinates."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}"


def parse_place(text: str) -> Place:
    """Read TOPIC:PARTITION:OFFSET; raises CommandFailed."""
    found = PLACE.fullmatch(text.strip())
    if found is None:
        raise CommandFailed(
            f"{text!r} is not a record; write {PLACE_FORM}, such as ticket.requested:0:42.",
            WRONG_USE,
        )
    return Place(found["topic"], int(found["partition"]), int(found["offset"]))
