"""What a policy would give requests that are not sent: their identities are those of a topic."""

from typing import Any, Final, NamedTuple

from handlers.batch import Broken
from handlers.entries import TopicRole, read
from handlers.outcomes import Request
from handlers.record import StoredRecord
from handlers.requests import routed, sla_facts
from handlers.routing import CompiledPolicy, Routed
from handlers.sla.selection import Candidate, Choice
from schemas.vocabulary import Kind, SlaMetric

TIER: Final = "customer_tier"
"""Customers have a tier, requests have none: for a trial it stands beside a request's fields."""


class Trial(NamedTuple):
    """A request and what it would get. routed: None where no rule is asked, or none matches.

    choice: what its clocks would be judged by.
    """

    request: Request
    routed: Routed | None
    choice: Choice

    def as_json(self) -> dict[str, Any]:
        message, routed = self.request.message, self.routed
        return {
            "request_id": message.request_id,
            "rule": routed and routed.rule,
            "team": routed.team if routed else message.assigned_team,
            "assignee": routed and routed.assignee,
            "priority": (routed.priority if routed else message.priority).value,
            "escalation_path": [step._asdict() for step in routed.escalation_path]
            if routed
            else [],
            "sla": {
                metric.value: _told(candidate)
                for metric, candidate in zip(SlaMetric, self.choice, strict=True)
            },
        }


def _told(candidate: Candidate) -> dict[str, Any]:
    """target_seconds: null where no clock would run."""
    terms = candidate.terms
    return {
        "policy": candidate.policy,
        "target_seconds": None if terms is None else round(terms.target.total_seconds()),
        "calendar": candidate.calendar,
    }


class Untried(Exception):
    """A line that is no request of this policy's tenant; says why, as a sentence."""


def tried(policy: CompiledPolicy, tenant_id: str | None, line: int, value: bytes) -> Trial:
    """What the request in this line would get. Raises Untried. tenant_id: None for any tenant."""
    record = StoredRecord("ticket.requested", 0, line, 0, None, value, ())
    request = read(record, TopicRole(Kind.REQUEST), len(value))
    if not isinstance(request, Request):
        raise Untried(request.message if isinstance(request, Broken) else "value: is no request")
    message = request.message
    if tenant_id not in {None, message.tenant_id}:
        raise Untried(
            f"tenant_id: is {message.tenant_id!r}; expected {tenant_id}, as in the policy"
        )
    tier = (message.__pydantic_extra__ or {}).get(TIER)
    if not isinstance(tier, str | None):
        raise Untried(f"{TIER}: is no text; expected the customer's tier, or nothing")
    rule = routed(request, policy, tier)
    return Trial(request, rule, policy.sla.choice(**sla_facts(request, rule, tier)))
