"""Tickets, requests, facts and all that the consumer and the relay keep."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | None = None
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

HOT_QUEUE = {
    "autovacuum_vacuum_scale_factor": "0",
    "autovacuum_vacuum_threshold": "1000",
    "autovacuum_vacuum_cost_delay": "0",
}
APPEND_ONLY = {
    "autovacuum_vacuum_insert_scale_factor": "0.1",
    "autovacuum_analyze_scale_factor": "0.05",
}
WITH_ROOM = {**APPEND_ONLY, "fillfactor": "90"}
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
ALL_TABLES = (
    "tickets",
    "customers",
    "partners",
    "ticket_messages",
    "sla_clocks",
    "sla_segments",
    "requests",
    "ticket_facts",
    "outbox",
    "held_facts",
    "parked_requests",
    "party_positions",
    "dead_letters",
    "dead_letter_steps",
    "paused_topics",
    "replays",
    "replay_positions",
    "policies",
    "lost_positions",
    "leases",
)


def upgrade() -> None:
    create_parties()
    create_tickets()
    create_ticket_messages()
    create_sla_clocks()
    create_sla_segments()
    create_requests()
    create_ticket_facts()
    create_outbox()
    create_held_facts()
    create_parked_requests()
    create_party_positions()
    create_dead_letters()
    create_dead_letter_steps()
    create_paused_topics()
    create_replays()
    create_policies()
    create_lost_positions()
    create_leases()
    show_each_tenant_its_own()


def downgrade() -> None:
    for table in ALL_TABLES:
        op.drop_table(table)
    op.execute(sa.text("DROP SEQUENCE outbox_id_seq"))


def text(name: str, *, null: bool = True, default: str | None = None) -> sa.Column[object]:
    return column(name, sa.Text(), null=null, default=default)


def uuid(name: str, *, null: bool = True, default: str | None = None) -> sa.Column[object]:
    return column(name, sa.UUID(as_uuid=False), null=null, default=default)


def integer(name: str, *, null: bool = True, default: str | None = None) -> sa.Column[object]:
    return column(name, sa.Integer(), null=null, default=default)


def bigint(name: str, *, null: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.BigInteger(), nullable=null, autoincrement=False)


def at(name: str, *, null: bool = True, default: str | None = None) -> sa.Column[object]:
    return column(name, sa.DateTime(timezone=True), null=null, default=default)


def list_of(name: str, item: sa.types.TypeEngine[Any]) -> sa.Column[object]:
    return sa.Column(name, postgresql.ARRAY(item), nullable=False, server_default=sa.text("'{}'"))


def json(name: str, default: str) -> sa.Column[object]:
    return column(name, postgresql.JSONB(), null=False, default=f"'{default}'::jsonb")


def column(
    name: str, kind: sa.types.TypeEngine[Any], *, null: bool, default: str | None
) -> sa.Column[object]:
    server_default = None if default is None else sa.text(default)
    return sa.Column(name, kind, nullable=null, server_default=server_default)


def create_parties() -> None:
    for name in ("customers", "partners"):
        op.create_table(
            name,
            uuid("id", null=False),
            text("tenant_id", null=False),
            bigint("external_id"),
            text("name"),
            text("status", null=False),
            text("tier"),
            at("updated_at", null=False),
            at("recorded_at", null=False, default="now()"),
            sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
            sa.UniqueConstraint("tenant_id", "id", name=f"uq_{name}_tenant_id_id"),
        )
        op.create_index(
            f"uq_{name}_tenant_id_external_id",
            name,
            ["tenant_id", "external_id"],
            unique=True,
            postgresql_where=sa.text("external_id IS NOT NULL"),
        )


def create_tickets() -> None:
    op.create_table(
        "tickets",
        uuid("id", null=False),
        text("ticket_number", null=False),
        text("tenant_id", null=False),
        text("request_id"),
        text("subject", null=False),
        text("status", null=False, default="'open'"),
        text("priority", null=False),
        text("origin_type", null=False),
        text("target_type", null=False),
        text("origin_user_id"),
        text("assigned_to_user_id"),
        text("assigned_team"),
        uuid("customer_id"),
        uuid("partner_id"),
        text("ticket_type"),
        text("service_address"),
        json("affected_services", "[]"),
        json("device_serial_numbers", "[]"),
        json("context", "{}"),
        text("group_key"),
        at("requested_at"),
        at("sla_due_date"),
        sa.Column("sla_breached", sa.Boolean(), nullable=False, server_default=sa.false()),
        at("first_response_due_at"),
        at("first_response_at"),
        at("resolved_at"),
        at("closed_at"),
        integer("resolution_time_minutes"),
        column("escalation_level", sa.SmallInteger(), null=False, default="0"),
        at("escalated_at"),
        text("escalated_to_user_id"),
        at("last_response_at"),
        column("rating", sa.SmallInteger(), null=True, default=None),
        text("rating_comment"),
        integer("sequence", null=False, default="1"),
        integer("last_change_sequence", null=False, default="1"),
        at("last_change_at"),
        text("created_by"),
        at("created_at", null=False),
        at("updated_at", null=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_tickets"),
        sa.UniqueConstraint(
            "tenant_id", "ticket_number", name="uq_tickets_tenant_id_ticket_number"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["customers.tenant_id", "customers.id"],
            name="fk_tickets_customers",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "partner_id"],
            ["partners.tenant_id", "partners.id"],
            name="fk_tickets_partners",
        ),
        sa.CheckConstraint(
            "status IN ('open', 'in_progress', 'waiting', 'resolved', 'closed')",
            name="ck_tickets_status",
        ),
        sa.CheckConstraint(
            "priority IN ('low', 'normal', 'high', 'urgent')", name="ck_tickets_priority"
        ),
        sa.CheckConstraint("sequence > 0", name="ck_tickets_sequence"),
        postgresql_with=WITH_ROOM,
    )
    for name, columns, where in (
        ("customer", ["tenant_id", "customer_id", "created_at"], None),
        ("status", ["tenant_id", "status", "created_at"], None),
        ("team", ["tenant_id", "assigned_team", "created_at"], "assigned_team IS NOT NULL"),
        ("partner", ["tenant_id", "partner_id", "created_at"], "partner_id IS NOT NULL"),
        ("group", ["tenant_id", "group_key"], "group_key IS NOT NULL"),
        ("sla_due", ["sla_due_date"], "status IN ('open', 'in_progress', 'waiting')"),
        ("resolved", ["tenant_id", "resolved_at"], "status = 'resolved'"),
    ):
        create_index(f"ix_tickets_{name}", "tickets", columns, where)


def create_ticket_messages() -> None:
    op.create_table(
        "ticket_messages",
        uuid("id", null=False, default="gen_random_uuid()"),
        uuid("ticket_id", null=False),
        text("tenant_id", null=False),
        integer("sequence", null=False),
        text("sender_type", null=False),
        text("sender_id"),
        text("body", null=False),
        json("attachments", "[]"),
        sa.Column("is_internal", sa.Boolean(), nullable=False, server_default=sa.false()),
        at("created_at", null=False),
        sa.PrimaryKeyConstraint("tenant_id", "ticket_id", "sequence", name="pk_ticket_messages"),
        postgresql_with=APPEND_ONLY,
    )


def create_sla_clocks() -> None:
    op.create_table(
        "sla_clocks",
        text("tenant_id", null=False),
        uuid("ticket_id", null=False),
        text("metric", null=False),
        integer("cycle", null=False, default="1"),
        text("state", null=False, default="'running'"),
        at("started_at", null=False),
        integer("target_seconds", null=False),
        text("policy"),
        integer("policy_version"),
        integer("calendar_version"),
        at("counted_at"),
        sa.Column("elapsed_us", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("paused_us", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        list_of("pauses", sa.DateTime(timezone=True)),
        list_of("pause_reasons", sa.Text()),
        at("due_at"),
        at("next_fire_at"),
        list_of("fired", sa.Text()),
        integer("breach_sequence"),
        integer("breaches", null=False, default="0"),
        at("ended_at"),
        at("annulled_at"),
        integer("segments", null=False, default="0"),
        sa.PrimaryKeyConstraint("tenant_id", "ticket_id", "metric", "cycle", name="pk_sla_clocks"),
        sa.CheckConstraint(
            "state IN ('running', 'paused', 'fulfilled', 'cancelled')", name="ck_sla_clocks_state"
        ),
        postgresql_with=APPEND_ONLY,
    )
    create_index(
        "ix_sla_clocks_next_fire_at", "sla_clocks", ["next_fire_at"], "next_fire_at IS NOT NULL"
    )


def create_sla_segments() -> None:
    op.create_table(
        "sla_segments",
        text("tenant_id", null=False),
        uuid("ticket_id", null=False),
        text("metric", null=False),
        integer("cycle", null=False),
        integer("number", null=False),
        text("kind", null=False),
        at("at", null=False),
        list_of("pause_reasons", sa.Text()),
        at("until"),
        integer("target_seconds", null=False),
        text("policy"),
        integer("policy_version"),
        integer("calendar_version"),
        sa.PrimaryKeyConstraint(
            "tenant_id", "ticket_id", "metric", "cycle", "number", name="pk_sla_segments"
        ),
        postgresql_with=APPEND_ONLY,
    )


def create_requests() -> None:
    op.create_table(
        "requests",
        text("tenant_id", null=False),
        uuid("request_key", null=False),
        text("kind", null=False),
        text("outcome", null=False),
        text("code"),
        uuid("ticket_id"),
        text("topic"),
        integer("partition"),
        bigint("offset"),
        bigint("content_hash", null=False),
        at("decided_at", null=False),
        sa.PrimaryKeyConstraint("tenant_id", "request_key", name="pk_requests"),
        sa.CheckConstraint("kind IN ('request', 'change')", name="ck_requests_kind"),
        sa.CheckConstraint(
            "outcome IN ('created', 'changed', 'unchanged', 'rejected', 'parked')",
            name="ck_requests_outcome",
        ),
        postgresql_with=APPEND_ONLY,
    )
    create_index("ix_requests_record", "requests", ["topic", "partition", "offset"])


def create_ticket_facts() -> None:
    op.create_table(
        "ticket_facts",
        text("tenant_id", null=False),
        uuid("subject_id", null=False),
        integer("sequence", null=False),
        bigint("outbox_id", null=False),
        text("ce_type", null=False),
        uuid("ticket_id", null=False),
        text("ticket_number"),
        text("causation_id"),
        text("traceparent"),
        text("record"),
        at("occurred_at", null=False),
        text("data", null=False),
        sa.PrimaryKeyConstraint("tenant_id", "subject_id", "sequence", name="pk_ticket_facts"),
        postgresql_with=APPEND_ONLY,
    )
    create_index("ix_ticket_facts_outbox_id", "ticket_facts", ["outbox_id"])


def create_outbox() -> None:
    # CACHE 1: numbers are handed out in the order in which the writers ask for them.
    op.execute(sa.text("CREATE SEQUENCE outbox_id_seq AS bigint CACHE 1"))
    op.create_table(
        "outbox",
        bigint("id", null=False),
        integer("facts", null=False),
        integer("dead_letters", null=False, default="0"),
        column("bytes", sa.BigInteger(), null=False, default="0"),
        at("created_at", null=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        postgresql_with=HOT_QUEUE,
    )


def create_held_facts() -> None:
    op.create_table(
        "held_facts",
        text("tenant_id", null=False),
        uuid("subject_id", null=False),
        integer("sequence", null=False),
        text("reason", null=False),
        text("missing_topic"),
        at("held_at", null=False),
        sa.PrimaryKeyConstraint("tenant_id", "subject_id", "sequence", name="pk_held_facts"),
        postgresql_with=HOT_QUEUE,
    )
    create_index(
        "ix_held_facts_missing_topic",
        "held_facts",
        ["missing_topic", "tenant_id", "subject_id", "sequence"],
        "missing_topic IS NOT NULL",
    )


def create_parked_requests() -> None:
    op.create_table(
        "parked_requests",
        text("tenant_id", null=False),
        uuid("request_key", null=False),
        text("customer_ref", null=False),
        *record_columns(),
        json("party_ends", "{}"),
        at("parked_at", null=False),
        at("grace_started_at"),
        sa.PrimaryKeyConstraint("tenant_id", "request_key", name="pk_parked_requests"),
        postgresql_with=HOT_QUEUE,
    )
    create_index("ix_parked_requests_parked_at", "parked_requests", ["parked_at"])


def create_party_positions() -> None:
    op.create_table(
        "party_positions",
        text("topic", null=False),
        integer("partition", null=False),
        bigint("position", null=False),
        at("recorded_at", null=False),
        sa.PrimaryKeyConstraint("topic", "partition", name="pk_party_positions"),
        postgresql_with=HOT_QUEUE,
    )


def create_dead_letters() -> None:
    op.create_table(
        "dead_letters",
        *record_columns(),
        text("tenant_id"),
        text("request_id"),
        text("source"),
        text("error_class", null=False),
        text("error_message", null=False),
        text("error_path"),
        integer("attempts", null=False, default="1"),
        text("group_id", null=False),
        at("failed_at", null=False),
        text("state", null=False, default="'dead'"),
        text("outcome"),
        bigint("outbox_id"),
        text("publish_error"),
        sa.PrimaryKeyConstraint(
            "topic", "partition", "offset", "record_timestamp", name="pk_dead_letters"
        ),
        sa.CheckConstraint(
            "state IN ('dead', 'redriven', 'failed_again', 'discarded', 'resolved_by_replay')",
            name="ck_dead_letters_state",
        ),
        postgresql_with=APPEND_ONLY,
    )
    create_index("ix_dead_letters_failed_at", "dead_letters", ["failed_at"])
    create_index(
        "ix_dead_letters_missing_topic",
        "dead_letters",
        ["topic", "partition", "offset", "record_timestamp"],
        "publish_error = 'The dead letter topic does not exist.'",
    )
    create_index(
        "ix_dead_letters_outbox_id", "dead_letters", ["outbox_id"], "outbox_id IS NOT NULL"
    )
    create_index(
        "ix_dead_letters_request_id", "dead_letters", ["request_id"], "request_id IS NOT NULL"
    )


def create_dead_letter_steps() -> None:
    op.create_table(
        "dead_letter_steps",
        text("topic", null=False),
        integer("partition", null=False),
        bigint("offset", null=False),
        bigint("record_timestamp", null=False),
        integer("number", null=False),
        at("at", null=False),
        text("actor", null=False),
        text("state", null=False),
        text("outcome"),
        text("reason"),
        sa.Column("value", sa.LargeBinary()),
        sa.PrimaryKeyConstraint(
            "topic",
            "partition",
            "offset",
            "record_timestamp",
            "number",
            name="pk_dead_letter_steps",
        ),
    )


def create_paused_topics() -> None:
    op.create_table(
        "paused_topics",
        text("topic", null=False),
        text("reason", null=False),
        text("paused_by", null=False),
        at("paused_at", null=False),
        sa.Column("is_ceiling", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("topic", name="pk_paused_topics"),
    )


def create_replays() -> None:
    op.create_table(
        "replays",
        uuid("id", null=False),
        json("filter", "{}"),
        text("actor", null=False),
        at("started_at", null=False),
        at("finished_at"),
        sa.PrimaryKeyConstraint("id", name="pk_replays"),
    )
    op.create_table(
        "replay_positions",
        uuid("replay_id", null=False),
        text("topic", null=False),
        integer("partition", null=False),
        bigint("next_offset", null=False),
        bigint("end_offset", null=False),
        json("counts", "{}"),
        sa.PrimaryKeyConstraint("replay_id", "topic", "partition", name="pk_replay_positions"),
    )


def create_policies() -> None:
    op.create_table(
        "policies",
        text("tenant_id", null=False),
        integer("version", null=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column(
            "auto_close_days",
            sa.Double(),
            sa.Computed(
                "(document #>> '{settings,auto_close_days}'::text[])::double precision",
                persisted=True,
            ),
        ),
        at("applied_at", null=False, default="now()"),
        sa.PrimaryKeyConstraint("tenant_id", "version", name="pk_policies"),
        sa.CheckConstraint("version > 0", name="ck_policies_version"),
    )
    create_index("ix_policies_auto_close", "policies", ["tenant_id"], "auto_close_days IS NOT NULL")


def create_lost_positions() -> None:
    op.create_table(
        "lost_positions",
        text("group_id", null=False),
        text("topic", null=False),
        integer("partition", null=False),
        bigint("lost_offset", null=False),
        bigint("resumed_offset", null=False),
        at("reported_at", null=False),
        sa.PrimaryKeyConstraint(
            "group_id",
            "topic",
            "partition",
            "lost_offset",
            "reported_at",
            name="pk_lost_positions",
        ),
    )


def create_leases() -> None:
    op.create_table(
        "leases",
        text("name", null=False),
        text("holder", null=False),
        bigint("fence", null=False),
        at("expires_at", null=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
        postgresql_with=HOT_QUEUE,
    )


def show_each_tenant_its_own() -> None:
    """Row-level security for every role that is neither the owner nor BYPASSRLS.

    The policy names no role, so that none has to exist. It is enabled, not forced: the owner
    and the service's role see all tenants, and may use COPY.
    """
    for table in TENANT_TABLES:
        op.execute(sa.text(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"))
        op.execute(
            sa.text(
                f"CREATE POLICY own_tenant ON {table}"
                " USING (tenant_id = current_setting('ticketing.tenant_id', true))"
            )
        )


def record_columns() -> tuple[sa.Column[object], ...]:
    """A Kafka record as it was read."""
    blobs = postgresql.ARRAY(sa.LargeBinary())
    return (
        text("topic", null=False),
        integer("partition", null=False),
        bigint("offset", null=False),
        bigint("record_timestamp", null=False),
        sa.Column("key", sa.LargeBinary()),
        sa.Column("value", sa.LargeBinary()),
        sa.Column("header_names", blobs, nullable=False),
        sa.Column("header_values", blobs, nullable=False),
    )


def create_index(name: str, table: str, columns: list[str], where: str | None = None) -> None:
    predicate = None if where is None else sa.text(where)
    op.create_index(name, table, columns, postgresql_where=predicate)
