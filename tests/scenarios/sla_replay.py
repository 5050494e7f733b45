"""Every clock of a world as its row has it, and as its history makes it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import groupby
from typing import Any, Final

from db.clocks import FIELDS
from handlers.sla.clock import Clock, start
from handlers.sla.history import Segment, SegmentKind, replay
from handlers.sla.rows import clock_of
from handlers.sla.selection import CompiledSla, compile_sla
from handlers.sla.terms import Terms, default_terms
from schemas.vocabulary import PauseReason, SlaMetric
from tests.scenarios.sla_model import Tenant
from tests.scenarios.world import World

SEGMENTS: Final = """
SELECT tenant_id, ticket_id::text, metric, cycle, number, kind, at, pause_reasons, until,
       target_seconds, policy, policy_version
  FROM sla_segments ORDER BY ticket_id, metric, cycle, number
"""


async def assert_replays(world: World, tenants: Mapping[str, Tenant]) -> None:
    """Replay equals stored, but for what was told and so for what is to be told next."""
    policies = {name: compile_sla(tenant.document, 1) for name, tenant in tenants.items()}
    histories = {
        key: [_segment(row, policies) for row in rows]
        for key, rows in groupby(await world.ask(SEGMENTS), key=_key)
    }
    rows = await world.ask(f"SELECT {FIELDS} FROM sla_clocks c")  # noqa: S608  our own words
    assert histories.keys() <= set(map(_key, rows))
    for row in rows:
        stored = clock_of(row, _terms(row, policies))
        history = histories.get(_key(row))
        if history is None:
            replayed = start(stored.terms, stored.started_at, cycle=stored.cycle)
        else:
            replayed = replay(history)
        assert _untold(replayed) == _untold(stored), history


def _key(row: Mapping[str, Any]) -> tuple[str, str, int]:
    return row["ticket_id"], row["metric"], row["cycle"]


def _terms(row: Mapping[str, Any], policies: Mapping[str, CompiledSla]) -> Terms:
    metric, target = SlaMetric(row["metric"]), timedelta(seconds=row["target_seconds"])
    if row["policy"] is None:
        return default_terms(metric, target)
    terms = policies[row["tenant_id"]].terms(row["policy"], metric, target)
    assert terms is not None, row
    return terms


def _segment(row: Mapping[str, Any], policies: Mapping[str, CompiledSla]) -> Segment:
    return Segment(
        SlaMetric(row["metric"]),
        row["cycle"],
        row["number"],
        SegmentKind(row["kind"]),
        row["at"],
        _terms(row, policies),
        frozenset(map(PauseReason, row["pause_reasons"])),
        row["until"],
    )


def _untold(clock: Clock) -> Clock:
    return replace(
        clock,
        fired=frozenset(),
        breach_sequence=None,
        breaches=0,
        annulled_at=None,
        next_fire_at=None,
    )
