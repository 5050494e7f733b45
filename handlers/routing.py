"""What a tenant's rules give a new request. Pure, and quick whatever the number of rules."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple
from zlib import crc32

from handlers.sla.selection import CompiledSla, compile_sla
from schemas.matching import Glob, folded, glob, prefix_glob, words
from schemas.policy import REOPEN_DAYS, Strategy, When
from schemas.vocabulary import Priority, TicketType

CONDITIONS: Final = frozenset(When.model_fields)


class Step(NamedTuple):
    """Whom a ticket goes to at an escalation level."""

    level: int
    team: str | None
    user: str | None


class Routed(NamedTuple):
    """What a request gets, and by which rule. priority: the rule's, or else the request's own."""

    rule: str
    team: str | None
    assignee: str | None
    priority: Priority
    escalation_path: tuple[Step, ...]


class _Said:
    """The words of a request. found: those of them that some rule listens for."""

    __slots__ = ("_body", "_heading", "found")

    def __init__(self, title: str, description: str, known: frozenset[str]) -> None:
        self._heading, self._body = words(title), words(description)
        self.found = known.intersection(self._heading).union(known.intersection(self._body))

    def has(self, phrase: str) -> bool:
        """Whether these words, one blank around each, stand in a row in one of the texts."""
        return phrase in _in_a_row(self._heading) or phrase in _in_a_row(self._body)


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule but for what the table of `CompiledPolicy` decides. Empty conditions always hold.

    cues: the first words of all its keywords. keywords: those of one word; phrases: the others.
    """

    name: str
    tiers: frozenset[str]
    addresses: tuple[Glob, ...]
    serials: tuple[Glob, ...]
    cues: frozenset[str]
    keywords: frozenset[str]
    phrases: tuple[str, ...]
    team: str | None
    members: tuple[str, ...]
    priority: Priority | None
    escalation_path: tuple[Step, ...]

    def hears(self, said: _Said) -> bool:
        """Whether one of its keywords stands in the texts."""
        if self.cues.isdisjoint(said.found):
            return False
        return not self.keywords.isdisjoint(said.found) or any(map(said.has, self.phrases))

    def routed(self, ticket_id: str, priority: Priority) -> Routed:
        assignee = spread(ticket_id, self.members) if self.members else None
        path = self.escalation_path
        return Routed(self.name, self.team, assignee, self.priority or priority, path)


class PolicyUnreadable(Exception):
    """Version {version} of {tenant_id}'s policy can't be understood. No request is to blame.

    Never raised, since nobody need wait for it: what can be understood holds instead.
    """

    def __init__(self, tenant_id: str, version: int) -> None:
        super().__init__(
            f"Version {version} of {tenant_id}'s policy can't be understood: it was not written by"
            " `ticketing policy apply`, or by a newer program; apply a version that is valid here."
        )
        self.tenant_id = tenant_id
        self.version = version


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """A version of a policy, ready for use.

    candidates: for each pair of a ticket type and a priority the rules that it leaves, in order.
    cues: the words that begin a keyword of any rule. asks_for_tiers: whether a rule has a tier.
    sla: what clocks are judged by.
    """

    reopen_days: float
    candidates: Mapping[tuple[TicketType | None, Priority], tuple[_Rule, ...]]
    cues: frozenset[str]
    asks_for_tiers: bool
    sla: CompiledSla

    def route(
        self,
        *,
        ticket_id: str,
        ticket_type: TicketType | None,
        priority: Priority,
        customer_tier: str | None,
        service_address: str | None,
        serials: Sequence[str],
        title: str,
        description: str,
    ) -> Routed | None:
        """What the first rule that matches gives; None where none does."""
        rules = self.candidates[ticket_type, priority]
        if not rules:
            return None
        tier = None if customer_tier is None else folded(customer_tier)
        addresses = () if service_address is None else (folded(service_address),)
        address = "".join(addresses)
        numbers = [folded(number) for number in serials]
        serial = "\n".join(numbers)
        said: _Said | None = None
        for rule in rules:
            if rule.tiers and tier not in rule.tiers:
                continue
            if rule.cues:
                said = said or _Said(title, description, self.cues)
                if not rule.hears(said):
                    continue
            if rule.addresses and not _any_matches(rule.addresses, addresses, address):
                continue
            if rule.serials and not _any_matches(rule.serials, numbers, serial):
                continue
            return rule.routed(ticket_id, priority)
        return None


def spread(ticket_id: str, members: Sequence[str]) -> str:
    """The member for this ticket: always the same, and each as often as the others."""
    return members[crc32(ticket_id.encode()) % len(members)]


def compile_policy(document: Mapping[str, Any], version: int) -> CompiledPolicy:
    """Make a stored document ready; an empty one has the defaults and no rules."""
    settings = document.get("settings", {})
    teams = document.get("teams", {})
    reopen_days = settings.get("reopen_days", REOPEN_DAYS)
    timedelta(days=reopen_days)  # or it is no number of days
    rules = [
        (rule["when"], _rule(rule, teams))
        for rule in document.get("routing", ())
        if CONDITIONS.issuperset(rule["when"])  # else a newer program's, which never holds here
    ]
    candidates = {
        (ticket_type, priority): tuple(
            rule
            for when, rule in rules
            if _holds(when, "ticket_type", ticket_type) and _holds(when, "priority", priority)
        )
        for ticket_type in (None, *TicketType)
        for priority in Priority
    }
    return CompiledPolicy(
        reopen_days,
        candidates,
        frozenset().union(*(rule.cues for _, rule in rules)),
        any(rule.tiers for _, rule in rules),
        compile_sla(document, version),
    )


def _any_matches(globs: Iterable[Glob], texts: Sequence[str], joined: str) -> bool:
    """Whether a glob matches a text. joined: all of them in one, which is quicker to look through.

    Loops, since they run for each rule: a generator would cost more than the look.
    """
    for literal, pattern in globs:
        if literal in joined:
            for text in texts:
                if pattern.match(text):
                    return True
    return False


def _in_a_row(said: Iterable[str]) -> str:
    return f" {' '.join(said)} "


def _holds(when: Mapping[str, Sequence[str]], name: str, value: str | None) -> bool:
    return name not in when or value in when[name]


def _rule(rule: Mapping[str, Any], teams: Mapping[str, Sequence[str]]) -> _Rule:
    when, then = rule["when"], rule["then"]
    team, priority = then.get("team"), then.get("priority")
    is_spread = then.get("assignee") == Strategy.SPREAD
    keywords = [words(keyword) for keyword in when.get("keywords", ())]
    return _Rule(
        name=rule["name"],
        tiers=frozenset(map(folded, when.get("customer_tier", ()))),
        addresses=tuple(map(glob, when.get("address", ()))),
        serials=tuple(map(prefix_glob, when.get("serial", ()))),
        cues=frozenset(each[0] for each in keywords),
        keywords=frozenset(each[0] for each in keywords if len(each) == 1),
        phrases=tuple(_in_a_row(each) for each in keywords if len(each) > 1),
        team=team,
        members=tuple(sorted(teams[team])) if is_spread else (),
        priority=None if priority is None else Priority(priority),
        escalation_path=tuple(
            Step(step["level"], step.get("team"), step.get("user"))
            for step in then.get("escalation_path", ())
        ),
    )
