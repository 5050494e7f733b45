"""What was published about tickets' service levels, held against the model of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from handlers.identity import fact_id
from tests.scenarios.histories import FACT_TOPICS, Told, told_on
from tests.scenarios.sla_model import DATES, Change, Clock, Model, Tenant
from tests.scenarios.sla_model import Told as Expected
from tests.scenarios.sla_time import SECOND, instant, time_of
from tests.scenarios.world import World

BY_CLOCKS: Final = ("sla.warning", "sla.breached", "sla.breach_annulled")
IN_FACTS: Final = ("metric", "cycle", "target_seconds", "priority", "assigned_team")
MOMENT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Published:
    """One ticket's facts in their order; write: which facts were committed together, by number."""

    facts: Sequence[Told]
    writes: Mapping[int, int]

    @property
    def ticket_id(self) -> str:
        return self.facts[0].ticket_id


async def published(world: World) -> dict[str, Published]:
    """Every ticket's facts, from all topics: each once, and rising within its topic."""
    found: dict[str, list[Told]] = {}
    for topic in FACT_TOPICS:
        last: dict[str, int] = {}
        for fact in await told_on(world, topic):
            assert fact.sequence > last.get(fact.ticket_id, 0), (topic, fact)
            last[fact.ticket_id] = fact.sequence
            found.setdefault(fact.ticket_id, []).append(fact)
    writes: dict[str, dict[int, int]] = {ticket: {} for ticket in found}
    for row in await world.ask(
        "SELECT ticket_id::text, sequence, outbox_id FROM ticket_facts WHERE sequence > 0"
    ):
        writes[row["ticket_id"]][row["sequence"]] = row["outbox_id"]
    for ticket, facts in found.items():
        facts.sort(key=attrgetter("sequence"))
        assert [fact.sequence for fact in facts] == list(range(1, len(facts) + 1)), facts
        assert writes[ticket].keys() == {fact.sequence for fact in facts}
    return {ticket: Published(facts, writes[ticket]) for ticket, facts in found.items()}


def changes_of(story: Published) -> Iterator[Change]:
    """What was done to a ticket, without what its clocks did."""
    done = [fact for fact in story.facts[1:] if not _is_by_time(fact)]
    for _, group in groupby(done, key=lambda fact: story.writes[fact.sequence]):
        for _, facts in groupby(group, key=attrgetter("cause")):
            yield _change(story, list(facts))


def _is_by_time(fact: Told) -> bool:
    return fact.ce_type in BY_CLOCKS or fact.data["actor"]["type"] == "system"


def _change(story: Published, facts: Sequence[Told]) -> Change:
    first = facts[0]
    write = story.writes[first.sequence]
    earlier = [
        instant(each.data.get("detected_at") or each.data["updated_at"])
        for each in story.facts[1 : first.sequence - 1]
        if _is_by_time(each) and story.writes[each.sequence] != write
    ]
    data = [{"ce_type": fact.ce_type, **fact.data} for fact in facts]
    at, now = instant(first.data["occurred_at"]), instant(first.data["updated_at"])
    return Change(data, at, now, max(earlier, default=0) if at < now else 0)


def expected_of(story: Published, tenant: Tenant, until: int) -> tuple[Model, list[Change]]:
    """The model at this instant, after all that was done to the ticket."""
    model, changes = Model(story.facts[0].data, tenant), list(changes_of(story))
    for change in changes:
        model.change(change)
    model.pass_time(until)
    return model, changes


async def assert_as_modelled(
    world: World, tenants: Mapping[str, Tenant]
) -> dict[str, tuple[Published, Model]]:
    """Of every ticket just what must be told was told, in its order, and the row says the same."""
    ((until,),) = await world.ask("SELECT now()")
    rows = {
        row["id"]: row
        for row in await world.ask(
            "SELECT id::text, sla_breached, first_response_due_at, sla_due_date FROM tickets"
        )
    }
    stories = await published(world)
    assert stories.keys() == rows.keys()
    found = {}
    for ticket, story in stories.items():
        tenant = tenants[story.facts[0].data["tenant_id"]]
        model, changes = expected_of(story, tenant, instant(until))
        assert_told(story, model, changes)
        assert_row(rows[ticket], model)
        found[ticket] = story, model
    return found


def assert_told(story: Published, model: Model, changes: Sequence[Change]) -> None:
    lines = [_line(fact) for fact in story.facts[1:]]
    wanted = [_wanted(story, each) for each in model.told]
    assert lines == wanted, _difference(story, lines, wanted)
    backdated = {
        story.writes[change.facts[0]["sequence"]] for change in changes if change.at < change.now
    }
    for fact, each in zip(story.facts[1:], model.told, strict=True):
        if each.at is not None:
            assert_noticed(fact, each.at)
            if each.clock is not None and story.writes[fact.sequence] not in backdated:
                assert_counted(fact, each.clock)


def _line(fact: Told) -> tuple[object, ...]:
    """What of a fact does not depend on how late it was noticed."""
    data = fact.data
    if fact.ce_type in BY_CLOCKS:
        told = {name: data[name] for name in IN_FACTS}
        told |= {name: data[name] for name in ("policy_version", "calendar_version")}
        told["escalation_level"] = data["escalation_level"]
        told["due_at"] = instant(data["due_at"])
        if fact.ce_type == "sla.warning":
            told["threshold_percent"] = data["threshold_percent"]
        if fact.ce_type == "sla.breach_annulled":
            told["annulled"] = data["annulled_ce_id"]
        return fact.ce_type, told
    if not _is_by_time(fact):
        return fact.ce_type, {}
    if fact.ce_type == "ticket.escalated":
        return fact.ce_type, {name: data[name] for name in ("from", "to", "reason")}
    return fact.ce_type, {"priority": data["changes"]["priority"]}


def _wanted(story: Published, expected: Expected) -> tuple[object, ...]:
    fields = dict(expected.fields)
    if "annulled" in fields:
        fields["annulled"] = str(fact_id(story.ticket_id, fields["annulled"]))
    return expected.ce_type, fields


def _difference(story: Published, lines: Sequence[object], wanted: Sequence[object]) -> str:
    """The first of the two lists' differences, and what had happened."""
    place = next(
        (n for n, pair in enumerate(zip(lines, wanted, strict=False)) if pair[0] != pair[1]),
        min(len(lines), len(wanted)),
    )
    happened = [
        (fact.sequence, story.writes[fact.sequence], fact.ce_type, fact.data)
        for fact in story.facts[: place + 3]
    ]
    texts = "\n".join(map(str, happened))
    return (
        f"ticket {story.ticket_id}, fact {place + 2}:\npublished {lines[place : place + 2]}\n"
        f"expected {wanted[place : place + 2]}\n{texts}"
    )


def assert_noticed(fact: Told, at: int) -> None:
    """Never before it was due; and the lag that is told is the true one."""
    if fact.ce_type in BY_CLOCKS:
        detected = instant(fact.data["detected_at"])
        assert detected > at, fact
        assert fact.data["detection_lag_ms"] == (detected - at) // MOMENT, fact
    else:
        assert instant(fact.data["occurred_at"]) == at, (fact, time_of(at))
        assert instant(fact.data["updated_at"]) > at, fact


def assert_counted(fact: Told, clock: Clock) -> None:
    """Elapsed, overrun and paused are those of the moment at which it was noticed."""
    until = instant(fact.data["detected_at"])
    elapsed = clock.elapsed(until)
    overrun = max(elapsed - clock.terms.target, 0)
    counted = {"elapsed": elapsed, "overrun": overrun, "paused": clock.paused(until)}
    told = {name: round(fact.data[f"{name}_seconds"] * SECOND) for name in counted}
    assert told == counted, (fact, clock)


def assert_row(row: Mapping[str, Any], model: Model) -> None:
    """The ticket shows when its clocks are due, and whether a breach stands."""
    breaches = [each.ce_type for each in model.told]
    is_breached = breaches.count("sla.breached") > breaches.count("sla.breach_annulled")
    assert row["sla_breached"] == is_breached, row
    for metric, name in DATES.items():
        shown = None if row[name] is None else instant(row[name])
        assert shown == model.shown(metric), (row, model.clocks)
