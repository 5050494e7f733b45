"""A ticket on a page: what it is, what was said, what happened to it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from consumer.cli.moments import shown
from consumer.cli.output import print_fields, print_table, say, shortened

Row = Mapping[str, Any]
"""A row of tickets or of ticket_messages, by column."""


def print_tickets(tickets: Iterable[Row], now: datetime) -> None:
    """One line each."""
    print_table(
        ("NUMBER", "STATUS", "PRIORITY", "TENANT", "team", "@created", "title"),
        (
            (
                ticket["ticket_number"],
                ticket["status"],
                ticket["priority"],
                ticket["tenant_id"],
                ticket["assigned_team"],
                shown(ticket["created_at"], now),
                ticket["title"],
            )
            for ticket in tickets
        ),
    )


def print_ticket(ticket: Row, now: datetime) -> None:
    """Everything but its messages and facts."""
    print_fields(
        (
            ("ticket", ticket["ticket_number"]),
            ("title", ticket["title"]),
            ("tenant", ticket["tenant_id"]),
            ("status", ticket["status"]),
            ("priority", ticket["priority"]),
            ("type", ticket["ticket_type"]),
            ("route", f"{ticket['origin_type']} to {ticket['target_type']}"),
            ("customer", ticket["customer_id"]),
            ("partner", ticket["partner_id"]),
            ("team", ticket["assigned_team"]),
            ("assigned to", ticket["assigned_to_user_id"]),
            ("address", ticket["service_address"]),
            ("services", ", ".join(ticket["affected_services"])),
            ("devices", ", ".join(ticket["device_serial_numbers"])),
            ("request", ticket["request_id"]),
            ("created", shown(ticket["created_at"], now)),
            ("updated", shown(ticket["updated_at"], now)),
            ("respond by", _due(ticket["first_response_due_at"], ticket["first_response_at"], now)),
            ("resolve by", _due(ticket["sla_due_date"], ticket["resolved_at"], now)),
            ("escalation", f"L{ticket['escalation_level'] + 1}"),
            ("rating", ticket["rating"]),
            ("id", ticket["ticket_id"]),
        )
    )


def print_messages(messages: Iterable[Row], now: datetime) -> None:
    """Who said what, oldest first."""
    for message in messages:
        sender = " ".join(filter(None, (message["sender_type"], message["sender_id"])))
        internal = ", internal" if message["is_internal"] else ""
        at = shown(message["created_at"], now)
        say(f"\nMessage {message['sequence']} from {sender}{internal}, {at}", "bold")
        say(shortened(message["body"]))
        for attachment in message["attachments"]:
            say(f"attached: {attachment.get('name')} {attachment.get('url')}")


def _due(due_at: datetime | None, done_at: datetime | None, now: datetime) -> str | None:
    """A due date, and whether it is kept: now > due is breached, strictly (DESIGN 1.6)."""
    if due_at is None:
        return None
    if done_at is None:
        return shown(due_at, now) + (", overdue" if now > due_at else "")
    verdict = "breached" if done_at > due_at else "met"
    return f"{shown(due_at, now)}, {verdict} at {shown(done_at, now)}"
