"""Which of a tenant's SLA policies a ticket's clocks are judged by. Pure, and quick to ask."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple
from zlib import crc32

from handlers.sla.calendar import ALWAYS, BusinessHours, compile_document
from handlers.sla.terms import DEFAULT_LEVELS, LadderStep, Levels, Terms, default_terms
from schemas.durations import parsed, parsed_offset
from schemas.matching import folded
from schemas.sla_policy import OFF, PAUSES, WARNINGS, SlaWhen
from schemas.vocabulary import PauseReason, Priority, Reopening, SlaMetric, TicketType

CONDITIONS: Final = frozenset(SlaWhen.model_fields)

Kind = tuple[TicketType | None, Priority]


class Candidate(NamedTuple):
    """What decides a metric, where its tiers and teams hold; empty ones always do.

    policy, calendar: their names; None for the default table and for 24x7. terms: None for off.
    """

    policy: str | None
    calendar: str | None
    tiers: frozenset[str]
    teams: frozenset[str]
    terms: Terms | None


class Choice(NamedTuple):
    """What decided each metric."""

    first_response: Candidate
    resolution: Candidate

    @property
    def levels(self) -> Levels:
        return Levels(self.first_response.terms, self.resolution.terms)


@dataclass(frozen=True, slots=True, eq=False)
class _SlaPolicy:
    """An SLA policy as it stands in the document, whatever tickets it is for."""

    name: str
    version: int
    when: Mapping[str, Any]
    targets: Mapping[SlaMetric, Mapping[Priority, timedelta | None]]
    calendar: str | None
    hours: BusinessHours
    warnings: tuple[int, ...]
    pauses: frozenset[PauseReason]
    reopening: Reopening
    ladder: Mapping[SlaMetric, tuple[LadderStep, ...]]

    def terms(self, metric: SlaMetric, target: timedelta) -> Terms:
        return Terms(
            metric=metric,
            target=target,
            policy=self.name,
            policy_version=self.version,
            calendar_version=None if self.calendar is None else self.version,
            hours=self.hours,
            warnings=self.warnings,
            pauses=self.pauses,
            reopening=self.reopening,
            ladder=self.ladder[metric],
            calendar=self.calendar,
        )

    def is_for(self, kind: Kind) -> bool:
        """Whether what it says of types and priorities holds, and there is no newer condition."""
        ticket_type, priority = kind
        return (
            CONDITIONS.issuperset(self.when)
            and ("ticket_type" not in self.when or ticket_type in self.when["ticket_type"])
            and ("priority" not in self.when or priority in self.when["priority"])
        )


Interned = Mapping[tuple[str, SlaMetric, timedelta], Terms]
Candidates = tuple[tuple[Candidate, ...], tuple[Candidate, ...]]
"""For each metric, the most specific first. The last always holds."""


@dataclass(frozen=True, slots=True, eq=False)
class CompiledSla:
    """The SLA policies of a version, ready for use.

    settled: for pairs of a ticket type and a priority for which neither tiers nor teams matter.
    """

    asks_for_tiers: bool
    _policies: Mapping[str, _SlaPolicy]
    _interned: Interned
    _candidates: Mapping[Kind, Candidates]
    _settled: Mapping[Kind, Levels]

    def select(
        self,
        *,
        ticket_type: TicketType | None,
        priority: Priority,
        customer_tier: str | None,
        team: str | None,
    ) -> Levels:
        """What the clocks of such a ticket are judged by, metric by metric.

        Of the SLA policies that are for it and have a target for the metric, the one with the most
        conditions decides, and of several the first in the document; else the default table.
        """
        kind = (ticket_type, priority)
        settled = self._settled.get(kind)
        if settled is not None:
            return settled
        return self._choice(kind, customer_tier, team).levels

    def choice(
        self,
        *,
        ticket_type: TicketType | None,
        priority: Priority,
        customer_tier: str | None,
        team: str | None,
    ) -> Choice:
        """The same, with what decided: an SLA policy also where it lets no clock run."""
        return self._choice((ticket_type, priority), customer_tier, team)

    def _choice(self, kind: Kind, customer_tier: str | None, team: str | None) -> Choice:
        tier = None if customer_tier is None else folded(customer_tier)
        first_response, resolution = self._candidates[kind]
        return Choice(_first(first_response, tier, team), _first(resolution, tier, team))

    def terms(self, policy: str | None, metric: SlaMetric, target: timedelta) -> Terms | None:
        """What a stored clock of this version is judged by; None if it has no such policy."""
        if policy is None:
            return default_terms(metric, target)
        interned = self._interned.get((policy, metric, target))
        if interned is not None:
            return interned
        found = self._policies.get(policy)
        return None if found is None else found.terms(metric, target)


def compile_sla(document: Mapping[str, Any], version: int) -> CompiledSla:
    """Make the SLA policies of a stored document ready; it may have none.

    Raises what reading what is not of that form raises: LookupError, TypeError, ValueError or
    AttributeError.
    """
    policies = {each.name: each for each in _policies(document, version)}
    interned = {
        (policy.name, metric, target): policy.terms(metric, target)
        for policy in policies.values()
        for metric in SlaMetric
        for target in policy.targets[metric].values()
        if target is not None
    }
    ranked = sorted(policies.values(), key=lambda policy: -len(policy.when))
    candidates: dict[Kind, Candidates] = {}
    for kind in [(each, priority) for each in (None, *TicketType) for priority in Priority]:
        here = [policy for policy in ranked if policy.is_for(kind)]
        first_response, resolution = (
            tuple(_until_one_always_holds(here, kind[1], metric, interned)) for metric in SlaMetric
        )
        candidates[kind] = (first_response, resolution)
    return CompiledSla(
        asks_for_tiers=any("customer_tier" in policy.when for policy in ranked),
        _policies=policies,
        _interned=interned,
        _candidates=candidates,
        _settled={
            kind: Choice(first_response[0], resolution[0]).levels
            for kind, (first_response, resolution) in candidates.items()
            if len(first_response) == len(resolution) == 1
        },
    )


def _first(candidates: tuple[Candidate, ...], tier: str | None, team: str | None) -> Candidate:
    for candidate in candidates:  # the last of which always holds
        if candidate.tiers and tier not in candidate.tiers:
            continue
        if candidate.teams and team not in candidate.teams:
            continue
        break
    return candidate


def _until_one_always_holds(
    policies: list[_SlaPolicy], priority: Priority, metric: SlaMetric, interned: Interned
) -> Iterator[Candidate]:
    for policy in policies:
        targets = policy.targets[metric]
        if priority not in targets:
            continue
        target = targets[priority]
        tiers = frozenset(map(folded, policy.when.get("customer_tier", ())))
        teams = frozenset(policy.when.get("team", ()))
        terms = None if target is None else interned[policy.name, metric, target]
        yield Candidate(policy.name, policy.calendar, tiers, teams, terms)
        if not tiers and not teams:
            return
    default = getattr(DEFAULT_LEVELS[priority], metric.value)
    yield Candidate(None, None, frozenset(), frozenset(), default)


def _policies(document: Mapping[str, Any], version: int) -> Iterator[_SlaPolicy]:
    calendars = document.get("calendars", {})
    hours: dict[str | None, BusinessHours] = {None: ALWAYS}
    for each in document.get("sla", ()):
        calendar = each.get("calendar")
        if calendar not in hours:
            hours[calendar] = compile_document(calendars[calendar])
        yield _SlaPolicy(
            name=each["name"],
            version=version,
            when=each.get("when", {}),
            targets={metric: _by_priority(each["targets"].get(metric, {})) for metric in SlaMetric},
            calendar=calendar,
            hours=hours[calendar],
            warnings=tuple(each.get("warnings", WARNINGS)),
            pauses=frozenset(map(PauseReason, each.get("pauses", PAUSES))),
            reopening=Reopening(each.get("reopening", Reopening.NEW_CYCLE)),
            ladder={metric: _ladder(each.get("ladder", ()), metric) for metric in SlaMetric},
        )


def _by_priority(target: str | Mapping[str, str]) -> dict[Priority, timedelta | None]:
    if isinstance(target, str):
        return dict.fromkeys(Priority, _target(target))
    return {Priority(name): _target(text) for name, text in target.items()}


def _target(text: str) -> timedelta | None:
    return None if text == OFF else parsed(text)


def _ladder(steps: Any, metric: SlaMetric) -> tuple[LadderStep, ...]:  # noqa: ANN401  a list of JSON
    """A metric's steps as they come in time; those of the same time in the document's order."""
    keys: set[str] = set()
    found = [
        LadderStep(
            key=_key(step, keys),
            offset=parsed_offset(step["at"]),
            level=step.get("level"),
            team=step.get("team"),
            user=step.get("user"),
            raises_priority=step.get("raise_priority", False),
        )
        for step in steps
        if step.get("metric", SlaMetric.RESOLUTION) == metric
    ]
    return tuple(sorted(found, key=lambda step: step.offset))


def _key(step: Mapping[str, Any], taken: set[str]) -> str:
    """The same in every policy and version: a level that was reached by one is not told by another.

    taken: those of the ladder so far; a second step to a level, and one to none, is what it says.
    """
    level = step.get("level")
    said = crc32(repr(sorted(step.items())).encode())
    key = f"step:{said:08x}" if level is None else f"level:{level}"
    if key in taken:
        key = f"level:{level}:{said:08x}"
    taken.add(key)
    return key
