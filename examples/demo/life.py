"""A ticket's whole life: changes by its customer and by agents, also what they may not do."""

import json
from typing import Final

from examples.demo.mixed import Row, follow, send
from examples.demo.stage import Stage
from schemas.vocabulary import ChangeKind

AGENT: Final = {"type": "tenant", "id": "agent-7"}
WORDS: Final[tuple[tuple[str, dict[str, str] | None, ChangeKind, dict[str, object]], ...]] = (
    ("Assign it to the second line", AGENT, ChangeKind.ASSIGN, {"assigned_team": "second_line"}),
    ("Agent: we look into it", AGENT, ChangeKind.ADD_MESSAGE, {"body": "We look into it."}),
    (
        "Agent, for colleagues only",
        AGENT,
        ChangeKind.ADD_MESSAGE,
        {"body": "Looks like the old firmware.", "is_internal": True},
    ),
    ("Customer: make it urgent!", None, ChangeKind.SET_PRIORITY, {"priority": "urgent"}),
    ("Agent makes it urgent", AGENT, ChangeKind.SET_PRIORITY, {"priority": "urgent"}),
    (
        "Agent hands it to level 2",
        AGENT,
        ChangeKind.ESCALATE,
        {"to": {"level": 1, "team": "network"}, "reason": "It needs a new firmware."},
    ),
    ("Resolved", AGENT, ChangeKind.SET_STATUS, {"status": "resolved"}),
    ("Resolved once more", AGENT, ChangeKind.SET_STATUS, {"status": "resolved"}),
    ("Customer: it is back again", None, ChangeKind.ADD_MESSAGE, {"body": "It is back again."}),
    ("Resolved, now for good", AGENT, ChangeKind.SET_STATUS, {"status": "resolved"}),
    ("Customer rates it", None, ChangeKind.RATE, {"rating": 4, "comment": "Quick in the end."}),
    ("Closed", AGENT, ChangeKind.SET_STATUS, {"status": "closed"}),
    ("Customer: one more thing", None, ChangeKind.ADD_MESSAGE, {"body": "One more thing ..."}),
)
"""What is asked, by whom (None: the ticket's customer), and how."""


def live(stage: Stage, opened: Row) -> list[tuple[str, Row]]:
    """Send everything in one go, and return it with what became of it."""
    if opened.story is None or opened.story.ticket is None:
        message = "only a ticket that was opened has a life"
        raise AssertionError(message)
    ticket = opened.story.ticket
    customer = {"type": "customer", "id": ticket["customer_id"]}
    values = [
        json.dumps(
            {
                "request_id": f"life-{number}",
                "tenant_id": ticket["tenant_id"],
                "ticket_number": ticket["ticket_number"],
                "actor": actor or customer,
                "change": change,
                **rest,
            }
        ).encode()
        for number, (_, actor, change, rest) in enumerate(WORDS, 1)
    ]
    key = ticket["ticket_id"].encode()
    sent = send(stage, "ticket.change_requested", [(key, value) for value in values])
    rows = [Row(record) for record in sent]
    follow(stage, rows, lambda row: row.is_settled, on_change=lambda: None)
    return list(zip((label for label, *_ in WORDS), rows, strict=True))
