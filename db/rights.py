"""Who may do what to which table; `db.grants` makes it so."""

from enum import StrEnum

VERSION_TABLE = "alembic_version"

SERVICE_RIGHTS = {
    "customers": "SELECT, INSERT, UPDATE",
    "partners": "SELECT, INSERT, UPDATE",
    "tickets": "SELECT, INSERT, UPDATE",
    "ticket_messages": "SELECT, INSERT",
    "sla_clocks": "SELECT, INSERT, UPDATE",
    "sla_segments": "SELECT, INSERT",
    "requests": "SELECT, INSERT, UPDATE, DELETE",
    "ticket_facts": "SELECT, INSERT",
    "outbox": "SELECT, INSERT, UPDATE, DELETE",
    "held_facts": "SELECT, INSERT, UPDATE, DELETE",
    "parked_requests": "SELECT, INSERT, UPDATE, DELETE",
    "party_positions": "SELECT, INSERT, UPDATE, DELETE",
    "dead_letters": "SELECT, INSERT, UPDATE, DELETE",
    "dead_letter_steps": "SELECT, INSERT, DELETE",
    "paused_topics": "SELECT, INSERT, UPDATE, DELETE",
    "replays": "SELECT, INSERT, UPDATE",
    "replay_positions": "SELECT, INSERT, UPDATE",
    "policies": "SELECT, INSERT",
    "lost_positions": "SELECT, INSERT",
    "leases": "SELECT, INSERT, UPDATE, DELETE",
    VERSION_TABLE: "SELECT",
}
"""Facts are the audit trail, and versions of policies say why: only the owner can change or remove
one."""

TENANT_RIGHTS = {
    "customers": "SELECT, INSERT",
    "partners": "SELECT",
    "tickets": "SELECT, INSERT",
    "ticket_messages": "SELECT, INSERT",
    "sla_clocks": "SELECT, INSERT",
    "sla_segments": "SELECT, INSERT",
    "requests": "SELECT, INSERT, UPDATE",
    "ticket_facts": "SELECT, INSERT",
    "outbox": "INSERT",
    "held_facts": "SELECT",
    "parked_requests": "SELECT",
    "dead_letters": "SELECT",
    "policies": "SELECT",
}
"""For readers and for workflows, which open tickets with TicketingService in their own session."""

TENANT_TABLES = (
    "customers",
    "partners",
    "tickets",
    "ticket_messages",
    "sla_clocks",
    "sla_segments",
    "requests",
    "ticket_facts",
    "held_facts",
    "parked_requests",
    "dead_letters",
    "policies",
)
"""The tables under row-level security: all that have a column `tenant_id`."""


class Rights(StrEnum):
    SERVICE = "service"
    TENANT = "tenant"


RIGHTS = {Rights.SERVICE: SERVICE_RIGHTS, Rights.TENANT: TENANT_RIGHTS}
