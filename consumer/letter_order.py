"""What is to be done about dead letters, and what became of each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg

from consumer.letter_edit import Edit
from db.letter_steps import Letter
from db.ticket_changes import LaterChange
from handlers.again import FAILED_AGAIN

SKIPPED: Final = "skipped"
UTC_STAMP: Final = "%Y-%m-%dT%H:%M:%SZ"
"""Of moments as the database gives them, which are in UTC."""


@dataclass(frozen=True, slots=True)
class Order:
    """How letters are to be redriven. actor: who says so. force: also changes that come late."""

    actor: str
    edit: Edit = field(default_factory=Edit)
    new_identity: bool = False
    force: bool = False
    dry_run: bool = False
    rate: float | None = None


class Told(NamedTuple):
    """What became of a letter, or would. outcome: as recorded, or failed_again, or skipped.

    reason: why it failed, was refused by a rule (code) or was skipped. later: what came after it.
    """

    letter: Letter
    outcome: str
    reason: str | None = None
    code: str | None = None
    later: Sequence[LaterChange] = ()

    @property
    def is_done(self) -> bool:
        return self.outcome not in {FAILED_AGAIN, SKIPPED}


def letter_of(row: asyncpg.Record) -> Letter:
    """Which letter a row of `letter_steps.lock` is."""
    return row["topic"], row["partition"], row["offset"], row["record_timestamp"]


def was_decided(row: asyncpg.Record, last: tuple[datetime, str] | None) -> str:
    """What somebody has done about a letter, when and who: "was redriven by ops at ..."."""
    state = str(row["state"]).replace("_", " ")
    outcome = f" ({row['outcome']})" if row["outcome"] else ""
    if last is None:
        return f"it was {state}{outcome}"
    return f"it was {state} by {last[1]} at {last[0]:{UTC_STAMP}}{outcome}"
