"""One difference between two versions of a schema."""

from enum import StrEnum
from typing import NamedTuple


class Change(StrEnum):
    """What a difference does to the values that a schema lets pass."""

    NARROWED = "narrowed"
    WIDENED = "widened"
    OTHER = "other"
    ADDED = "added"
    """A field is named that was not: it may have been sent, but meant nothing."""
    REMOVED = "removed"
    """A field is named no longer."""


class Difference(NamedTuple):
    """path: such as `attachments[].url`; empty for the value as a whole. what: as a clause."""

    path: str
    change: Change
    what: str
