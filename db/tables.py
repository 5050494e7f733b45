"""Every table and column, once: Alembic, the bulk writer and the tests all read this list.

Keys start with the tenant. Rows that only the service writes together with their ticket carry no
foreign key (`ticketing verify` checks them); tickets keep theirs to customers and partners.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Sequence,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

OPEN_STATUSES = "status IN ('open', 'in_progress', 'waiting')"
"""The predicate of the partial indexes that only concern tickets still being worked on."""

NO_DEAD_LETTER_TOPIC = "The dead letter topic does not exist."
"""The `publish_error` of dead letters that wait for their topic; any other is final."""

HOT_QUEUE = {
    "autovacuum_vacuum_scale_factor": "0",
    "autovacuum_vacuum_threshold": "1000",
    "autovacuum_vacuum_cost_delay": "0",
}
"""Small tables whose rows come and go: vacuumed by count, not by share."""

APPEND_ONLY = {
    "autovacuum_vacuum_insert_scale_factor": "0.1",
    "autovacuum_analyze_scale_factor": "0.05",
}
"""Tables that only grow: vacuumed often enough to keep index-only scans and freezing cheap."""

WITH_ROOM = {**APPEND_ONLY, "fillfactor": "90"}
"""Tickets grow and change: where the page of a row has room for its next version, no index needs an
entry for it. Two of some eighteen rows on a page."""


def _at(name: str, *, nullable: bool = True) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _json(name: str, default: str) -> Column[object]:
    return Column(name, JSONB, nullable=False, server_default=text(f"'{default}'::jsonb"))


def _party(name: str) -> Table:
    """Customers and partners: the same shape, kept from `customer.changed`/`partner.changed`."""
    return Table(
        name,
        metadata,
        Column("id", UUID(as_uuid=False), primary_key=True),
        Column("tenant_id", Text, nullable=False),
        Column("external_id", BigInteger),
        Column("name", Text),
        Column("status", Text, nullable=False),
        Column("tier", Text),
        _at("updated_at", nullable=False),
        Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        UniqueConstraint("tenant_id", "id"),
        # An index with a predicate is no key that a ticket's foreign key locks: giving a party
        # another number and opening tickets for it never wait for one another.
        Index(
            f"uq_{name}_tenant_id_external_id",
            "tenant_id",
            "external_id",
            unique=True,
            postgresql_where=text("external_id IS NOT NULL"),
        ),
    )


customers = _party("customers")
partners = _party("partners")

tickets = Table(
    "tickets",
    metadata,
    Column("id", UUID(as_uuid=False), nullable=False),
    Column("ticket_number", Text, nullable=False),
    Column("tenant_id", Text, nullable=False),
    Column("request_id", Text),
    Column("subject", Text, nullable=False),
    Column("status", Text, nullable=False, server_default=text("'open'")),
    Column("priority", Text, nullable=False),
    Column("origin_type", Text, nullable=False),
    Column("target_type", Text, nullable=False),
    Column("origin_user_id", Text),
    Column("assigned_to_user_id", Text),
    Column("assigned_team", Text),
    Column("customer_id", UUID(as_uuid=False)),
    Column("partner_id", UUID(as_uuid=False)),
    Column("ticket_type", Text),
    Column("service_address", Text),
    _json("affected_services", "[]"),
    _json("device_serial_numbers", "[]"),
    _json("context", "{}"),
    Column("group_key", Text),
    _at("requested_at"),
    _at("sla_due_date"),
    Column("sla_breached", Boolean, nullable=False, server_default=false()),
    _at("first_response_due_at"),
    _at("first_response_at"),
    _at("resolved_at"),
    _at("closed_at"),
    Column("resolution_time_minutes", Integer),
    Column("escalation_level", SmallInteger, nullable=False, server_default=text("0")),
    _at("escalated_at"),
    Column("escalated_to_user_id", Text),
    _at("last_response_at"),
    Column("rating", SmallInteger),
    Column("rating_comment", Text),
    Column("sequence", Integer, nullable=False, server_default=text("1")),
    Column("last_change_sequence", Integer, nullable=False, server_default=text("1")),
    # When the last change by an actor took effect: no later one may take effect before it.
    _at("last_change_at"),
    Column("created_by", Text),
    _at("created_at", nullable=False),
    _at("updated_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "ticket_number"),
    ForeignKeyConstraint(["tenant_id", "customer_id"], ["customers.tenant_id", "customers.id"]),
    ForeignKeyConstraint(["tenant_id", "partner_id"], ["partners.tenant_id", "partners.id"]),
    CheckConstraint(
        "status IN ('open', 'in_progress', 'waiting', 'resolved', 'closed')", name="status"
    ),
    CheckConstraint("priority IN ('low', 'normal', 'high', 'urgent')", name="priority"),
    CheckConstraint("sequence > 0", name="sequence"),
    Index("ix_tickets_customer", "tenant_id", "customer_id", "created_at"),
    Index("ix_tickets_status", "tenant_id", "status", "created_at"),
    Index(
        "ix_tickets_team",
        "tenant_id",
        "assigned_team",
        "created_at",
        postgresql_where=text("assigned_team IS NOT NULL"),
    ),
    Index(
        "ix_tickets_partner",
        "tenant_id",
        "partner_id",
        "created_at",
        postgresql_where=text("partner_id IS NOT NULL"),
    ),
    Index(
        "ix_tickets_group",
        "tenant_id",
        "group_key",
        postgresql_where=text("group_key IS NOT NULL"),
    ),
    Index("ix_tickets_sla_due", "sla_due_date", postgresql_where=text(OPEN_STATUSES)),
    # Those that may close by themselves, the longest resolved first.
    Index(
        "ix_tickets_resolved",
        "tenant_id",
        "resolved_at",
        postgresql_where=text("status = 'resolved'"),
    ),
    postgresql_with=WITH_ROOM,
)

ticket_messages = Table(
    "ticket_messages",
    metadata,
    Column("id", UUID(as_uuid=False), nullable=False, server_default=func.gen_random_uuid()),
    Column("ticket_id", UUID(as_uuid=False), nullable=False),
    Column("tenant_id", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("sender_type", Text, nullable=False),
    Column("sender_id", Text),
    Column("body", Text, nullable=False),
    _json("attachments", "[]"),
    Column("is_internal", Boolean, nullable=False, server_default=false()),
    _at("created_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "ticket_id", "sequence"),
    postgresql_with=APPEND_ONLY,
)

sla_clocks = Table(
    "sla_clocks",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("ticket_id", UUID(as_uuid=False), nullable=False),
    Column("metric", Text, nullable=False),
    # A resolution clock begins its next cycle when the ticket is reopened.
    Column("cycle", Integer, nullable=False, server_default=text("1")),
    Column("state", Text, nullable=False, server_default=text("'running'")),
    _at("started_at", nullable=False),
    Column("target_seconds", Integer, nullable=False),
    # The SLA policy and the versions that it is judged by; null: the default table, and 24x7.
    Column("policy", Text),
    Column("policy_version", Integer),
    Column("calendar_version", Integer),
    # What had passed before counted_at (null: started_at) under terms that no longer hold.
    _at("counted_at"),
    Column("elapsed_us", BigInteger, nullable=False, server_default=text("0")),
    Column("paused_us", BigInteger, nullable=False, server_default=text("0")),
    # From, to, from, to ... since counted_at; without the last to, it stands still now.
    Column("pauses", ARRAY(DateTime(timezone=True)), nullable=False, server_default=text("'{}'")),
    Column("pause_reasons", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    _at("due_at"),
    # When the next of its levels is reached; null when none will be.
    _at("next_fire_at"),
    # The levels that are told: warning:50, breach, and steps of the ladder.
    Column("fired", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("breach_sequence", Integer),
    # Breaches that stand, of this cycle and those before it.
    Column("breaches", Integer, nullable=False, server_default=text("0")),
    _at("ended_at"),
    _at("annulled_at"),
    Column("segments", Integer, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("tenant_id", "ticket_id", "metric", "cycle"),
    CheckConstraint("state IN ('running', 'paused', 'fulfilled', 'cancelled')", name="state"),
    Index(
        "ix_sla_clocks_next_fire_at",
        "next_fire_at",
        postgresql_where=text("next_fire_at IS NOT NULL"),
    ),
    postgresql_with=APPEND_ONLY,
)

sla_segments = Table(
    "sla_segments",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("ticket_id", UUID(as_uuid=False), nullable=False),
    Column("metric", Text, nullable=False),
    Column("cycle", Integer, nullable=False),
    # The history of a cycle, from 1 without gaps; none where it has only started.
    Column("number", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    _at("at", nullable=False),
    Column("pause_reasons", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    # When it goes on by itself, as after a scheduled visit.
    _at("until"),
    Column("target_seconds", Integer, nullable=False),
    Column("policy", Text),
    Column("policy_version", Integer),
    Column("calendar_version", Integer),
    PrimaryKeyConstraint("tenant_id", "ticket_id", "metric", "cycle", "number"),
    postgresql_with=APPEND_ONLY,
)

requests = Table(
    "requests",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("request_key", UUID(as_uuid=False), nullable=False),
    Column("kind", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("code", Text),
    Column("ticket_id", UUID(as_uuid=False)),
    Column("topic", Text),
    Column("partition", Integer),
    Column("offset", BigInteger),
    Column("content_hash", BigInteger, nullable=False),
    _at("decided_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "request_key"),
    CheckConstraint("kind IN ('request', 'change')", name="kind"),
    CheckConstraint(
        "outcome IN ('created', 'changed', 'unchanged', 'rejected', 'parked')", name="outcome"
    ),
    Index("ix_requests_record", "topic", "partition", "offset"),
    postgresql_with=APPEND_ONLY,
)

ticket_facts = Table(
    "ticket_facts",
    metadata,
    Column("tenant_id", Text, nullable=False),
    # The ticket's id; for a rejection (sequence 0) the fact's own ce_id.
    Column("subject_id", UUID(as_uuid=False), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("outbox_id", BigInteger, nullable=False),
    Column("ce_type", Text, nullable=False),
    # The Kafka key: the ticket addressed, or that would have been created.
    Column("ticket_id", UUID(as_uuid=False), nullable=False),
    Column("ticket_number", Text),
    Column("causation_id", Text),
    Column("traceparent", Text),
    # topic:partition:offset of the record that caused it, only where causation_id names nothing.
    Column("record", Text),
    _at("occurred_at", nullable=False),
    Column("data", Text, nullable=False),
    PrimaryKeyConstraint("tenant_id", "subject_id", "sequence"),
    Index("ix_ticket_facts_outbox_id", "outbox_id"),
    postgresql_with=APPEND_ONLY,
)

outbox_id_seq = Sequence("outbox_id_seq", metadata=metadata, data_type=BigInteger, cache=1)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("facts", Integer, nullable=False),
    Column("dead_letters", Integer, nullable=False, server_default=text("0")),
    # The length of its facts' data, so that the relay takes no more than memory allows.
    Column("bytes", BigInteger, nullable=False, server_default=text("0")),
    _at("created_at", nullable=False),
    postgresql_with=HOT_QUEUE,
)

held_facts = Table(
    "held_facts",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("subject_id", UUID(as_uuid=False), nullable=False),
    Column("sequence", Integer, nullable=False),
    # The broker's refusal, or why this fact waits behind one that was refused.
    Column("reason", Text, nullable=False),
    # The topic that does not exist (released by itself once it does), or null.
    Column("missing_topic", Text),
    _at("held_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "subject_id", "sequence"),
    Index(
        "ix_held_facts_missing_topic",
        "missing_topic",
        "tenant_id",
        "subject_id",
        "sequence",
        postgresql_where=text("missing_topic IS NOT NULL"),
    ),
    postgresql_with=HOT_QUEUE,
)

parked_requests = Table(
    "parked_requests",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("request_key", UUID(as_uuid=False), nullable=False),
    Column("customer_ref", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("record_timestamp", BigInteger, nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("header_names", ARRAY(LargeBinary), nullable=False),
    Column("header_values", ARRAY(LargeBinary), nullable=False),
    # {topic: {partition: end offset}} of the party topics when the request was parked.
    _json("party_ends", "{}"),
    _at("parked_at", nullable=False),
    # When the party topics had been read up to party_ends: the grace runs from here.
    _at("grace_started_at"),
    PrimaryKeyConstraint("tenant_id", "request_key"),
    Index("ix_parked_requests_parked_at", "parked_at"),
    postgresql_with=HOT_QUEUE,
)

party_positions = Table(
    "party_positions",
    metadata,
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    # The next offset to read: everything before it is applied.
    Column("position", BigInteger, nullable=False),
    _at("recorded_at", nullable=False),
    PrimaryKeyConstraint("topic", "partition"),
    postgresql_with=HOT_QUEUE,
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    # Milliseconds since the epoch, as Kafka keeps it: tells a re-created topic's records apart.
    Column("record_timestamp", BigInteger, nullable=False),
    Column("tenant_id", Text),
    Column("request_id", Text),
    Column("source", Text),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("header_names", ARRAY(LargeBinary), nullable=False),
    Column("header_values", ARRAY(LargeBinary), nullable=False),
    Column("error_class", Text, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("error_path", Text),
    Column("attempts", Integer, nullable=False, server_default=text("1")),
    Column("group_id", Text, nullable=False),
    _at("failed_at", nullable=False),
    Column("state", Text, nullable=False, server_default=text("'dead'")),
    # What became of it when it was redriven, or replayed with success.
    Column("outcome", Text),
    Column("outbox_id", BigInteger),
    # Why it could not be passed on to <topic>.dlq (this row keeps it whole), or null.
    Column("publish_error", Text),
    PrimaryKeyConstraint("topic", "partition", "offset", "record_timestamp"),
    CheckConstraint(
        "state IN ('dead', 'redriven', 'failed_again', 'discarded', 'resolved_by_replay')",
        name="state",
    ),
    Index("ix_dead_letters_failed_at", "failed_at"),
    # Passed on by the relay once their <topic>.dlq exists.
    Index(
        "ix_dead_letters_missing_topic",
        "topic",
        "partition",
        "offset",
        "record_timestamp",
        postgresql_where=text(f"publish_error = '{NO_DEAD_LETTER_TOPIC}'"),
    ),
    Index(
        "ix_dead_letters_request_id",
        "request_id",
        postgresql_where=text("request_id IS NOT NULL"),
    ),
    Index(
        "ix_dead_letters_outbox_id",
        "outbox_id",
        postgresql_where=text("outbox_id IS NOT NULL"),
    ),
    postgresql_with=APPEND_ONLY,
)

dead_letter_steps = Table(
    "dead_letter_steps",
    metadata,
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("record_timestamp", BigInteger, nullable=False),
    # From 1 without gaps.
    Column("number", Integer, nullable=False),
    _at("at", nullable=False),
    # Who did it: an operator's name, as they gave it.
    Column("actor", Text, nullable=False),
    # The state that it led to.
    Column("state", Text, nullable=False),
    Column("outcome", Text),
    # Why: the operator's reason, or the error.
    Column("reason", Text),
    # The value that was handled in place of the record's own, where it was edited.
    Column("value", LargeBinary),
    PrimaryKeyConstraint("topic", "partition", "offset", "record_timestamp", "number"),
)

paused_topics = Table(
    "paused_topics",
    metadata,
    # As it is called on the broker, so with the prefix.
    Column("topic", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("paused_by", Text, nullable=False),
    _at("paused_at", nullable=False),
    # Paused by the service itself: too many of its records became dead letters.
    Column("is_ceiling", Boolean, nullable=False, server_default=false()),
)

replays = Table(
    "replays",
    metadata,
    Column("id", UUID(as_uuid=False), primary_key=True),
    # What was asked for, to go on with the same.
    _json("filter", "{}"),
    Column("actor", Text, nullable=False),
    _at("started_at", nullable=False),
    _at("finished_at"),
)

replay_positions = Table(
    "replay_positions",
    metadata,
    Column("replay_id", UUID(as_uuid=False), nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    Column("end_offset", BigInteger, nullable=False),
    # {outcome: how many records}
    _json("counts", "{}"),
    PrimaryKeyConstraint("replay_id", "topic", "partition"),
)

policies = Table(
    "policies",
    metadata,
    Column("tenant_id", Text, nullable=False),
    # From 1 without gaps; the highest is in force. A version never changes.
    Column("version", Integer, nullable=False),
    # Not JSONB: people see it again as they wrote it, its fields in their order.
    Column("document", JSON, nullable=False),
    # Read off the document once, since a timer asks for it again and again.
    Column(
        "auto_close_days",
        Double,
        Computed(
            "(document #>> '{settings,auto_close_days}'::text[])::double precision", persisted=True
        ),
    ),
    Column("applied_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant_id", "version"),
    CheckConstraint("version > 0", name="version"),
    Index(
        "ix_policies_auto_close",
        "tenant_id",
        postgresql_where=text("auto_close_days IS NOT NULL"),
    ),
)

lost_positions = Table(
    "lost_positions",
    metadata,
    Column("group_id", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("lost_offset", BigInteger, nullable=False),
    Column("resumed_offset", BigInteger, nullable=False),
    _at("reported_at", nullable=False),
    PrimaryKeyConstraint("group_id", "topic", "partition", "lost_offset", "reported_at"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    # Rises with each new holder; a write under an older number is refused.
    Column("fence", BigInteger, nullable=False),
    _at("expires_at", nullable=False),
    postgresql_with=HOT_QUEUE,
)
