"""`sla.breached`: a target was missed."""

from schemas.fact import (
    DetectionWord,
    Fact,
    Id,
    Integer,
    Level,
    MetricWord,
    Number,
    PriorityWord,
    Seconds,
    Sequence,
    Text,
    Utc,
)


class SlaFact(Fact):
    """A clock of a ticket, as it stood when it was looked at. Paused time does not count."""

    ticket_id: Id
    ticket_number: Number
    tenant_id: Text
    metric: MetricWord
    cycle: Integer
    priority: PriorityWord
    due_at: Utc
    detected_at: Utc
    detection_lag_ms: Integer
    target_seconds: Seconds
    elapsed_seconds: Seconds
    overrun_seconds: Seconds
    paused_seconds: Seconds
    policy_version: Integer | None
    calendar_version: Integer | None
    assigned_team: Text | None
    escalation_level: Level
    sequence: Sequence


class SlaBreached(SlaFact):
    """The due time has passed, strictly."""

    reason: DetectionWord
