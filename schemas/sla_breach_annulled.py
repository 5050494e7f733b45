"""`sla.breach_annulled`: a breach that was published turned out to be none."""

from schemas.fact import Id, Text, Utc
from schemas.sla_breached import SlaFact


class SlaBreachAnnulled(SlaFact):
    """Which fact no longer holds, and why."""

    annulled_ce_id: Id
    annulled_at: Utc
    reason: Text
