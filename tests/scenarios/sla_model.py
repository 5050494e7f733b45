"""What must be told of a ticket's service level, reckoned from its history in a straight line.

Written from what is promised, and with nothing of `handlers.sla`. Time is gone through from one
thing that happens to the next; how late anybody noticed plays no part.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from tests.scenarios.sla_time import (
    NEVER,
    ROUND_THE_CLOCK,
    SECOND,
    Span,
    after,
    before,
    instant,
    length,
    without,
)

FIRST, SOLVED = METRICS = ("first_response", "resolution")
DATES: Final = {FIRST: "first_response_due_at", SOLVED: "sla_due_date"}
RISING: Final = ("low", "normal", "high", "urgent")
DONE: Final = {"resolved", "closed"}
HOURS: Final = {
    FIRST: {"urgent": 1, "high": 4, "normal": 24, "low": 48},
    SOLVED: {"urgent": 8, "high": 24, "normal": 72, "low": 168},
}
BREACH: Final = "breach"


class Level(NamedTuple):
    """What is told once so many microseconds have counted: a warning, the breach or a step."""

    name: str
    need: int
    percent: int | None = None
    step: Mapping[str, Any] | None = None


class Terms(NamedTuple):
    """What a clock is judged by. calendar: its name, None for round the clock."""

    policy: str | None
    target: int
    calendar: str | None = None
    warnings: tuple[int, ...] = (50, 75, 90)
    pauses: tuple[str, ...] = ("waiting_for_customer", "scheduled_visit")
    goes_on: bool = False
    ladder: tuple[tuple[str, int, Mapping[str, Any]], ...] = ()

    def levels(self) -> list[Level]:
        """In the order of time."""
        warned = [
            Level(f"warning:{each}", self.target * each // 100, each) for each in self.warnings
        ]
        steps = [
            Level(name, max(self.target + offset, 0), step=step)
            for name, offset, step in self.ladder
        ]
        return sorted([*warned, Level(BREACH, self.target), *steps], key=lambda each: each.need)


@dataclass(frozen=True, slots=True)
class Tenant:
    """document: its policy's; open_hours: of its calendars; tiers: of its customers."""

    document: Mapping[str, Any]
    open_hours: Mapping[str, Sequence[Span]]
    tiers: Mapping[str, str | None]

    def hours(self, calendar: str | None) -> Sequence[Span]:
        return ROUND_THE_CLOCK if calendar is None else self.open_hours[calendar]

    def terms(self, metric: str, ticket: Mapping[str, Any]) -> Terms | None:
        """By the SLA policy with most conditions; of several by the first; else by default."""
        fitting = [each for each in self.document["sla"] if self._fits(each, metric, ticket)]
        if not fitting:
            return Terms(None, HOURS[metric][ticket["priority"]] * 3_600 * SECOND)
        found = max(fitting, key=lambda each: len(each.get("when", {})))
        target = found["targets"][metric][ticket["priority"]]
        if target == "off":
            return None
        steps: dict[str, Mapping[str, Any]] = {}
        for step in found.get("ladder", ()):
            if step.get("metric", SOLVED) == metric:
                steps[_name(step, steps)] = step
        return Terms(
            found["name"],
            _seconds(target),
            found.get("calendar"),
            tuple(found["warnings"]),
            tuple(found["pauses"]),
            found["reopening"] == "continue",
            tuple(
                sorted(
                    ((name, _offset(step["at"]), step) for name, step in steps.items()),
                    key=lambda each: each[1],
                )
            ),
        )

    def _fits(self, policy: Mapping[str, Any], metric: str, ticket: Mapping[str, Any]) -> bool:
        asked = {
            "priority": ticket["priority"],
            "ticket_type": ticket["ticket_type"],
            "team": ticket["assigned_team"],
            "customer_tier": self.tiers.get(ticket["customer_id"]),
        }
        return ticket["priority"] in policy["targets"].get(metric, {}) and all(
            asked[name] in wanted for name, wanted in policy.get("when", {}).items()
        )


def _name(step: Mapping[str, Any], taken: Collection[str]) -> str:
    """Whoever was brought to a level by one ladder is not brought there again by the next."""
    name = str(sorted(step.items())) if "level" not in step else f"level {step['level']}"
    return f"again {sorted(step.items())}" if name in taken else name


def _seconds(text: str) -> int:
    return int(text.removesuffix("s")) * SECOND


def _offset(text: str) -> int:
    if text == "due":
        return 0
    amount, side, _ = text.split()
    return _seconds(amount) * (-1 if side == "before" else 1)


@dataclass(slots=True)
class Clock:
    """One cycle. base: since when its present calendar counts, with what had counted by then.

    pauses: since base. breach: the number of its fact, while that stands.
    """

    metric: str
    cycle: int
    terms: Terms
    hours: Sequence[Span]
    started: int
    base: int
    spent: int = 0
    stood: int = 0
    pauses: list[Span] = field(default_factory=list)
    told: set[str] = field(default_factory=set)
    breach: int | None = None
    end: int | None = None
    is_cancelled: bool = False

    def copy(self) -> "Clock":
        return replace(self, pauses=list(self.pauses))

    def elapsed(self, until: int) -> int:
        return self.spent + length(without(self.hours, self.pauses), self.base, until)

    def paused(self, until: int) -> int:
        return self.stood + sum(max(min(end, until) - begin, 0) for begin, end in self.pauses)

    def reached(self, need: int, pauses: Sequence[Span] | None = None) -> int | None:
        """When so much has counted. By another calendar before: counted back by this one."""
        if need < self.spent:
            return before(self.hours, self.base, self.spent - need)
        counted = without(self.hours, self.pauses if pauses is None else pauses)
        reached = after(counted, self.base, need - self.spent)
        return reached if reached is None or reached < NEVER // 2 else None

    def due(self) -> int | None:
        """Of the target; while it stands still without an end, as if it ran on from there."""
        known = [pause for pause in self.pauses if pause[1] != NEVER]
        return self.reached(self.terms.target) or self.reached(self.terms.target, known)

    def next_level(self) -> tuple[int, Level] | None:
        if self.end is not None:
            return None
        for level in self.terms.levels():
            if level.name not in self.told:
                at = self.reached(level.need)
                return None if at is None else (at, level)
        return None

    def hold(self, end: int, at: int) -> None:
        """Stand still from this instant on until that; run, if that is not later."""
        going_on = [since for since, until in self.pauses if until > at]
        self.pauses = [pause for pause in self.pauses if pause[1] <= at]
        began = min([at, *going_on])
        if began < max(end, at):
            self.pauses.append((began, max(end, at)))


class Told(NamedTuple):
    """A fact that must be there. at: when it was due, where time brought it about.

    clock: as it stood then, for what it had counted when somebody noticed.
    """

    ce_type: str
    fields: Mapping[str, Any]
    at: int | None = None
    clock: Clock | None = None


class Change(NamedTuple):
    """What somebody did: its facts as published. at: when it took effect; now: when it was made.

    seen: until when the ticket's clocks had been looked at before, which matters where `at` is past
    and the target was met then: nobody could know.
    """

    facts: Sequence[Mapping[str, Any]]
    at: int
    now: int
    seen: int


OPENED: Final = (
    *("priority", "ticket_type", "assigned_team", "target_type", "partner_id", "context"),
    *("customer_id", "escalation_level", "status"),
)
SELECTORS: Final = ("priority", "ticket_type", "assigned_team")


class Model:
    """A ticket on its way. told: what must have been told so far, by number, from the second on."""

    def __init__(self, created: Mapping[str, Any], tenant: Tenant) -> None:
        self.tenant = tenant
        self.ticket: dict[str, Any] = {name: created[name] for name in OPENED}
        self.ticket |= dict.fromkeys(("first_response_at", "resolved_at", "escalated_to_user_id"))
        self.told: list[Told] = []
        self.clocks: dict[str, Clock] = {}
        self.latest = instant(created["created_at"])
        for metric in METRICS:
            self._begin(metric, 1, self.latest)
        self._hold(self.latest)

    def change(self, change: Change) -> None:
        """What was due before it took effect comes first; then it happens, fact by fact."""
        self.pass_time(change.seen)
        self.pass_time(change.at)
        if change.at < change.now:
            met = self._met(change.facts)
            self.pass_time(change.now, but_for=met)
            self.pass_time(change.at)
        for fact in change.facts:
            self.told.append(Told(fact["ce_type"], {}))
            was = dict(self.ticket)
            for name, each in fact["changes"].items():
                if name in self.ticket:
                    assert self.ticket[name] == each["from"], (name, fact)
                    self.ticket[name] = each["to"]
            self._follow(was, change.now, by_time=False)
        self.latest = change.now

    def _met(self, facts: Sequence[Mapping[str, Any]]) -> Collection[str]:
        """The metrics of which nothing is left to be done once this has happened."""
        changes = [fact["changes"] for fact in facts]
        ends = {each["status"]["to"] for each in changes if "status" in each} & DONE
        if ends and self.ticket["status"] not in DONE:
            return METRICS
        return {FIRST} if any("first_response_at" in each for each in changes) else ()

    def pass_time(self, until: int, but_for: Collection[str] = ()) -> None:
        """All that is due before this instant is told, in the order of time."""
        while True:
            due = [
                (found[0], place, metric, found[1])
                for place, (metric, clock) in enumerate(self._in_order())
                if metric not in but_for and (found := clock.next_level()) and found[0] < until
            ]
            if not due:
                return
            at, _, metric, level = min(due, key=lambda each: each[:2])
            self._tell(self.clocks[metric], level, at)

    def _in_order(self) -> Iterator[tuple[str, Clock]]:
        return ((metric, self.clocks[metric]) for metric in METRICS if metric in self.clocks)

    def _tell(self, clock: Clock, level: Level, at: int) -> None:
        self.latest = max(self.latest, at)
        fields, snapshot = self._standing(clock), clock.copy()
        clock.told.add(level.name)
        if level.step is not None:
            self._climb(level.step, at)
        elif level.name == BREACH:
            self.told.append(Told("sla.breached", fields, at, snapshot))
            clock.breach = len(self.told) + 1
        else:
            fields = {**fields, "threshold_percent": level.percent}
            self.told.append(Told("sla.warning", fields, at, snapshot))

    def _standing(self, clock: Clock) -> dict[str, Any]:
        versions = {
            "policy_version": None if clock.terms.policy is None else 1,
            "calendar_version": None if clock.terms.calendar is None else 1,
        }
        return versions | {
            "metric": clock.metric,
            "cycle": clock.cycle,
            "due_at": clock.due(),
            "target_seconds": clock.terms.target // SECOND,
            "priority": self.ticket["priority"],
            "assigned_team": self.ticket["assigned_team"],
            "escalation_level": self.ticket["escalation_level"],
        }

    def _climb(self, step: Mapping[str, Any], at: int) -> None:
        """Move the ticket up, if it is not there yet; then raise its priority."""
        level, was = step.get("level"), dict(self.ticket)
        if level is None or level > was["escalation_level"]:
            self.ticket["escalation_level"] = was["escalation_level"] if level is None else level
            self.ticket["assigned_team"] = step.get("team") or was["assigned_team"]
            self.ticket["escalated_to_user_id"] = step.get("user") or was["escalated_to_user_id"]
            if self.ticket != was:
                points = {"from": _point(was), "to": _point(self.ticket), "reason": "sla"}
                self.told.append(Told("ticket.escalated", points, at))
                self._follow(was, self.latest, by_time=True)
        if step.get("raise_priority") and self.ticket["priority"] != RISING[-1]:
            was = dict(self.ticket)
            self.ticket["priority"] = RISING[RISING.index(was["priority"]) + 1]
            raised = {"from": was["priority"], "to": self.ticket["priority"]}
            self.told.append(Told("ticket.priority_changed", {"priority": raised}, at))
            self._follow(was, self.latest, by_time=True)

    def _follow(self, was: Mapping[str, Any], at: int, *, by_time: bool) -> None:
        """What the clocks make of it that the ticket is no longer as it was."""
        now = self.ticket
        if now["first_response_at"] is not None and was["first_response_at"] is None:
            self._end(FIRST, instant(now["first_response_at"]))
        if now["status"] in DONE and was["status"] not in DONE:
            self._end(SOLVED, instant(now["resolved_at"]))
            self._end(FIRST, instant(now["resolved_at"]), is_cancelled=True)
        if now["status"] in DONE:
            return
        if was["status"] in DONE:
            self._reopen(at)
        is_judged_anew = any(now[name] != was[name] for name in SELECTORS)
        if is_judged_anew:
            self._judge_anew(at)
        if is_judged_anew or not by_time:
            self._hold(at)

    def _begin(self, metric: str, cycle: int, at: int) -> None:
        terms = self.tenant.terms(metric, self.ticket)
        if terms is not None:
            hours = self.tenant.hours(terms.calendar)
            self.clocks[metric] = Clock(metric, cycle, terms, hours, at, at)

    def _end(self, metric: str, at: int, *, is_cancelled: bool = False) -> None:
        """Where the breach turns out to be none, that is told."""
        clock = self.clocks.get(metric)
        if clock is None or clock.end is not None:
            return
        clock.hold(at, at)
        clock.end, clock.is_cancelled = at, is_cancelled
        due = clock.reached(clock.terms.target)
        if clock.breach is not None and due is not None and at <= due:
            fields = {**self._standing(clock), "annulled": clock.breach}
            self.told.append(Told("sla.breach_annulled", fields))
            clock.breach = None
            clock.told.remove(BREACH)

    def _reopen(self, at: int) -> None:
        """Whoever never had an answer waits for one again."""
        unanswered = self.clocks.get(FIRST)
        if unanswered is not None and unanswered.is_cancelled and not self.is_done(FIRST):
            self._begin(FIRST, unanswered.cycle + 1, at)
        clock = self.clocks.get(SOLVED)
        if clock is None or clock.end is None:
            return
        if clock.terms.goes_on and not clock.is_cancelled:
            clock.pauses.append((clock.end, at))
            clock.end = None
        else:
            self._begin(SOLVED, clock.cycle + 1, at)

    def _judge_anew(self, at: int) -> None:
        for metric in METRICS:
            clock, terms = self.clocks.get(metric), self.tenant.terms(metric, self.ticket)
            if clock is not None and clock.end is None:
                self._retarget(clock, terms, at)
            elif (clock is None or clock.is_cancelled) and not self.is_done(metric):
                self._begin(metric, 1 if clock is None else clock.cycle + 1, at)

    def is_done(self, metric: str) -> bool:
        """Whether the ticket has done what the metric measures, or nothing is asked of it."""
        is_answered = metric == FIRST and self.ticket["first_response_at"] is not None
        return is_answered or self.ticket["status"] in DONE

    def shown(self, metric: str) -> int | None:
        """The due time that the ticket has to show: none where nothing is measured any more."""
        clock = self.clocks.get(metric)
        if clock is None or not (clock.end is None or self.is_done(metric)):
            return None
        return clock.reached(clock.terms.target)

    def _retarget(self, clock: Clock, terms: Terms | None, at: int) -> None:
        """A breached clock has been judged. What has counted counts, by whatever calendar."""
        if clock.breach is not None:
            return
        if terms is None:
            clock.hold(at, at)
            clock.end, clock.is_cancelled = at, True
        elif (terms.policy, terms.target) != (clock.terms.policy, clock.terms.target):
            if terms.calendar != clock.terms.calendar:
                clock.spent, clock.stood = clock.elapsed(at), clock.paused(at)
                clock.pauses = [(max(since, at), until) for since, until in clock.pauses]
                clock.pauses = [pause for pause in clock.pauses if pause[0] < pause[1]]
                clock.base, clock.hours = at, self.tenant.hours(terms.calendar)
            clock.terms = terms

    def _hold(self, at: int) -> None:
        """Clocks stand still for as long as anything lasts that their terms let them wait for."""
        visit = self.ticket["context"].get("scheduled_visit")
        ends = {
            "waiting_for_customer": NEVER if self.ticket["status"] == "waiting" else at,
            "waiting_for_partner": NEVER if self.ticket["target_type"] == "partner" else at,
            "scheduled_visit": at if visit is None else instant(visit),
        }
        for clock in self.clocks.values():
            if clock.end is None:
                clock.hold(max([at, *(ends[each] for each in clock.terms.pauses)]), at)


def _point(ticket: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "level": ticket["escalation_level"],
        "target_type": ticket["target_type"],
        "partner_id": ticket["partner_id"],
        "team": ticket["assigned_team"],
        "user_id": ticket["escalated_to_user_id"],
    }
