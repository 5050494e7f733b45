"""Operators hear of policies that this program can't understand: once, and for as long as it is so.

The records go on by another version, so nothing else would tell.
"""

from typing import Final

import structlog

from consumer.metrics import Metrics
from handlers.batch import Handled
from handlers.routing import PolicyUnreadable

MOST_REMEMBERED: Final = 10_000
"""Versions that were told of; then they are told of again."""

MOST_OF_A_REASON: Final = 200
"""Characters of what a document's reading ended with: it may quote the document."""

log = structlog.get_logger()


class PolicyWatch:
    """What one process found unreadable, by what it committed."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._told: set[tuple[str, int]] = set()
        self._tenants: set[str] = set()

    def note(self, handled: Handled) -> None:
        """Log what is new, and count the tenants that do without their newest version."""
        if not handled.unreadable and not self._tenants:
            return
        self._tenants -= handled.versions.keys()
        for problem in handled.unreadable:
            held = handled.versions.get(problem.tenant_id)
            if held is None or held < problem.version:
                self._tenants.add(problem.tenant_id)
            self._tell(problem, held)
        self._metrics.policies_unreadable.set(len(self._tenants))

    def _tell(self, problem: PolicyUnreadable, held: int | None) -> None:
        key = (problem.tenant_id, problem.version)
        if key in self._told:
            return
        if len(self._told) >= MOST_REMEMBERED:
            self._told.clear()
        self._told.add(key)
        log.error(
            "policy.unreadable",
            tenant_id=problem.tenant_id,
            version=problem.version,
            in_force=held,
            reason=reason_of(problem),
        )


def reason_of(problem: PolicyUnreadable) -> str:
    """What the reading ended with, on one line."""
    cause = problem.__cause__
    if cause is None:
        return "it has no such SLA policy, or is gone"
    return f"{type(cause).__name__}: {' '.join(str(cause).split())}"[:MOST_OF_A_REASON]
