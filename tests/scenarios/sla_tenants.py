"""Tenants with service levels of seconds: random policies, and calendars that open and close."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

from schemas.vocabulary import PauseReason, Priority, Reopening, TicketType
from tests.scenarios.messages import Message, customer, partner, party_id
from tests.scenarios.sla_model import FIRST, SOLVED, Tenant
from tests.scenarios.sla_time import Span, instant
from tests.scenarios.world import World

TEAMS: Final = ("desk", "field", "noc")
TIERS: Final = ("gold", "silver", None)
TYPES: Final = [each.value for each in list(TicketType)[:4]]
PRIORITIES: Final = [each.value for each in Priority]
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SHIFT, PIECES = "shift", "pieces"
SHIFTS: Final = 12
MIDDAY: Final = timedelta(hours=12)
OFFSETS: Final = ("2s before due", "1s before due", "due", "1s after due", "3s after due")


def customers_of(tenant: str) -> dict[str, str | None]:
    """Ids and tiers: one customer of each tier."""
    return {party_id(f"{tenant} {tier}"): tier for tier in TIERS}


def partner_of(tenant: str) -> str:
    return party_id(f"partner of {tenant}")


def people_of(tenant: str) -> Iterator[Message]:
    for customer_id, tier in customers_of(tenant).items():
        yield customer(customer_id, customer_id=customer_id, tenant_id=tenant, tier=tier)
    yield partner("Cable & Co", partner_id=partner_of(tenant), tenant_id=tenant)


def level_of(
    name: str = "all",
    *,
    first: Mapping[str, str] | str | None = None,
    solved: Mapping[str, str] | str | None = None,
    **more: object,
) -> dict[str, Any]:
    """An SLA policy as a document has it; its defaults are written out for the model to read."""
    given = {FIRST: first, SOLVED: solved}
    targets = {
        metric: dict.fromkeys(PRIORITIES, each) if isinstance(each, str) else dict(each)
        for metric, each in given.items()
        if each is not None
    }
    defaults = {
        "warnings": [50, 75, 90],
        "pauses": ["waiting_for_customer", "scheduled_visit"],
        "reopening": "new_cycle",
    }
    return {"name": name, "targets": targets} | defaults | more


def tenant_with(name: str, *levels: Mapping[str, Any]) -> Tenant:
    """One whose calendars are open round the clock."""
    document = {"teams": {team: [] for team in TEAMS}, "sla": list(levels)}
    return Tenant(document, {}, customers_of(name))


def random_tenant(name: str, random: Random) -> Tenant:
    zone, shift = shifts(random)
    begin, end = day_around(zone)
    pieces = [["00:00", "11:30"], ["11:30", "24:00"]]
    calendars = {
        label: {"timezone": zone.key, "weekly": dict.fromkeys(DAYS, intervals)}
        for label, intervals in ((SHIFT, shift), (PIECES, pieces))
    }
    document = {
        "teams": {team: [] for team in TEAMS},
        "calendars": calendars,
        "sla": [random_level(f"p{number}", random) for number in range(6)],
    }
    open_hours = {
        PIECES: [(instant(begin), instant(end))],
        SHIFT: [_span(begin, *interval) for interval in shift],
    }
    return Tenant(document, open_hours, customers_of(name))


def shifts(random: Random) -> tuple[ZoneInfo, list[list[str]]]:
    """A zone in which it is about noon, and hours with short breaks in the minutes from now on."""
    hour = datetime.now(UTC).hour
    zone = ZoneInfo(f"Etc/GMT{hour - 12:+d}")
    at = datetime.now(zone).replace(microsecond=0)
    intervals, opens = [], "00:00"
    for _ in range(SHIFTS):
        at += timedelta(seconds=random.randint(2, 7))
        closes = f"{at:%H:%M:%S}"
        intervals.append([opens, closes])
        at += timedelta(seconds=random.randint(1, 3))
        opens = f"{at:%H:%M:%S}"
    return zone, [*intervals, [opens, "24:00"]]


def day_around(zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Today there, from midnight to midnight; a scenario is far from both."""
    begin = datetime.now(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return begin, begin + 2 * MIDDAY


def _span(midnight: datetime, opens: str, closes: str) -> Span:
    return instant(midnight + _of_day(opens)), instant(midnight + _of_day(closes))


def _of_day(text: str) -> timedelta:
    hours, minutes, *seconds = map(int, text.split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=sum(seconds))


def random_level(name: str, random: Random) -> dict[str, Any]:
    """The last two SLA policies of a tenant are for nearly everything."""
    conditions: dict[str, Sequence[str]] = {
        "priority": random.sample(PRIORITIES, 2),
        "ticket_type": random.sample(TYPES, 2),
        "team": random.sample(TEAMS, 2),
        "customer_tier": ["gold"],
    }
    number = 0 if name in {"p4", "p5"} else random.randint(1, 2)
    when = {each: conditions[each] for each in random.sample(sorted(conditions), number)}
    optional: dict[str, Any] = {"when": when} if when else {}
    calendar = random.choice([None, None, PIECES, SHIFT])
    if calendar is not None:
        optional["calendar"] = calendar
    ladder = random_ladder(random)
    if ladder:
        optional["ladder"] = ladder
    return level_of(
        name,
        first=random_targets(random, 1, 6),
        solved=random_targets(random, 3, 12),
        warnings=sorted(random.sample(range(10, 100, 10), random.randint(0, 3))),
        pauses=random.sample([each.value for each in PauseReason], random.randint(1, 3)),
        reopening=random.choice([each.value for each in Reopening]),
        **optional,
    )


def random_targets(random: Random, shortest: int, longest: int) -> dict[str, str]:
    """Rarely none for a priority, which is left to the other policies then, or no clock at all."""
    targets = {each: f"{random.randint(shortest, longest)}s" for each in PRIORITIES}
    if random.random() < 0.2:
        targets[random.choice(PRIORITIES)] = "off"
    if random.random() < 0.2:
        del targets[random.choice(PRIORITIES)]
    return targets


def random_ladder(random: Random) -> list[dict[str, Any]]:
    """Of any order, with levels that don't fall as time passes."""
    ladder = [random_step(random) for _ in range(random.choice([0, 1, 2, 3]))]
    highest = 1
    for step in sorted(ladder, key=lambda each: OFFSETS.index(each["at"])):
        if "level" in step:
            highest = step["level"] = max(step["level"], highest)
    return ladder


def random_step(random: Random) -> dict[str, Any]:
    step: dict[str, Any] = {
        "metric": random.choice([SOLVED, SOLVED, FIRST]),
        "at": random.choice(OFFSETS),
    }
    optional = {
        "level": (0.8, random.randint(1, 3)),
        "team": (0.6, random.choice(TEAMS)),
        "user": (0.3, f"chief-{random.randint(1, 3)}"),
        "raise_priority": (0.4, True),
    }
    taken = {name: value for name, (share, value) in optional.items() if random.random() < share}
    return step | (taken or {"raise_priority": True})


async def settle_in(world: World, directory: Path, tenants: Mapping[str, Tenant]) -> None:
    """Apply their policies as an operator does, and announce their customers and partners."""
    await asyncio.gather(
        *(apply(world, directory / f"{name}.json", name, each) for name, each in tenants.items())
    )
    await world.publish(*(each for name in tenants for each in people_of(name)))


async def apply(world: World, file: Path, name: str, tenant: Tenant) -> None:
    await asyncio.to_thread(file.write_text, json.dumps(tenant.document))
    await world.ticketing("policy", "apply", str(file), "--tenant", name, "--yes")
