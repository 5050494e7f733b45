"""Every topic, once: what it carries, which way, and under which key."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Direction(StrEnum):
    """As we see it."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic's name (without the prefix), what it carries and how it is kept."""

    name: str
    direction: Direction
    key: str
    description: str
    ce_types: tuple[str, ...] = ()
    is_compacted: bool = False
    has_dead_letters: bool = False


TICKET_UPDATED_TYPES: Final = (
    "ticket.message_added",
    "ticket.status_changed",
    "ticket.assigned",
    "ticket.priority_changed",
    "ticket.fields_changed",
    "ticket.reopened",
    "ticket.rated",
)

TOPICS: Final = (
    Topic(
        "ticket.requested",
        Direction.IN,
        "customer id (recommended)",
        "Open a ticket.",
        has_dead_letters=True,
    ),
    Topic(
        "ticket.change_requested",
        Direction.IN,
        "ticket id (recommended)",
        "Change a ticket.",
        has_dead_letters=True,
    ),
    Topic(
        "customer.changed",
        Direction.IN,
        "customer id",
        "A customer as it is now; a tombstone deletes it.",
        is_compacted=True,
        has_dead_letters=True,
    ),
    Topic(
        "partner.changed",
        Direction.IN,
        "partner id",
        "A partner as it is now; a tombstone deletes it.",
        is_compacted=True,
        has_dead_letters=True,
    ),
    Topic(
        "ticket.created", Direction.OUT, "ticket id", "A ticket was opened.", ("ticket.created",)
    ),
    Topic(
        "ticket.updated",
        Direction.OUT,
        "ticket id",
        "Something about a ticket changed.",
        TICKET_UPDATED_TYPES,
    ),
    Topic(
        "ticket.escalated",
        Direction.OUT,
        "ticket id",
        "A ticket went to another level or party.",
        ("ticket.escalated",),
    ),
    Topic(
        "ticket.rejected",
        Direction.OUT,
        "ticket id",
        "A request was refused by a rule.",
        ("ticket.rejected",),
    ),
    Topic(
        "sla.warning",
        Direction.OUT,
        "ticket id",
        "Part of a target's time is used up.",
        ("sla.warning",),
    ),
    Topic("sla.breached", Direction.OUT, "ticket id", "A target was missed.", ("sla.breached",)),
    Topic(
        "sla.breach_annulled",
        Direction.OUT,
        "ticket id",
        "A breach turned out to be none.",
        ("sla.breach_annulled",),
    ),
)

TOPIC_OF_CE_TYPE: Final = {ce_type: topic.name for topic in TOPICS for ce_type in topic.ce_types}
OUTBOUND_TOPICS: Final = frozenset(
    topic.name for topic in TOPICS if topic.direction is Direction.OUT
)
