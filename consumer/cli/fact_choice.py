"""Which facts an operator means: words of the command line, made a filter."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Final
from uuid import UUID

import asyncpg

from consumer.cli.failures import WRONG_USE, CommandFailed
from consumer.cli.moments import UnusableTime, parse_time
from consumer.wording import counted
from db import past_facts, ticket_reading
from db.past_facts import Filter
from schemas.catalogue import OUTBOUND_TOPICS, TOPIC_OF_CE_TYPE

NAMES: Final = sorted(TOPIC_OF_CE_TYPE.keys() | OUTBOUND_TOPICS)


@dataclass(frozen=True, slots=True)
class Choice:
    """As it was written. ticket: a number, a ticket's id or a rejection's ce_id."""

    types: tuple[str, ...] = ()
    ticket: str | None = None
    tenant: str | None = None
    since: str | None = None
    until: str | None = None

    @property
    def is_empty(self) -> bool:
        return not self.types and not any((self.ticket, self.tenant, self.since, self.until))

    async def understood(self, connection: asyncpg.Connection) -> Filter:
        """Say it in the database's words. Raises CommandFailed."""
        now: datetime = await connection.fetchval("SELECT now()")
        types = tuple(dict.fromkeys(ce_type for name in self.types for ce_type in meant(name)))
        found = Filter(
            types=types or None,
            tenant_id=self.tenant,
            since=_time("--since", self.since, now),
            until=_time("--until", self.until, now),
            subject=await self._subject(connection),
        )
        if found.since is not None and found.until is not None and found.since >= found.until:
            raise CommandFailed("--since is not before --until: nothing can fit.", WRONG_USE)
        return found

    async def _subject(self, connection: asyncpg.Connection) -> tuple[str, str] | None:
        if self.ticket is None:
            return None
        name = self.ticket.strip()
        try:
            id_ = str(UUID(name))
        except ValueError:
            tickets = await ticket_reading.by_number(connection, name.upper(), self.tenant)
            found = [(ticket["tenant_id"], ticket["ticket_id"]) for ticket in tickets]
        else:
            tenants = await past_facts.tenants_of(connection, id_, self.tenant)
            found = [(tenant, id_) for tenant in tenants]
        match found:
            case [subject]:
                return subject
            case []:
                where = f" in tenant {self.tenant}" if self.tenant else ""
                raise CommandFailed(f"There is no ticket {name}{where}.")
            case _:
                raise CommandFailed(
                    f"{counted(len(found), 'tenant')} have a ticket {name}: name one with --tenant"
                    f" ({', '.join(tenant for tenant, _ in found)}).",
                    WRONG_USE,
                )


def meant(name: str) -> list[str]:
    """The types of this name, or of the topic of this name. Raises CommandFailed."""
    found = [ce_type for ce_type, topic in TOPIC_OF_CE_TYPE.items() if name in {ce_type, topic}]
    if found:
        return found
    near = get_close_matches(name, NAMES, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else f"the types are {', '.join(TOPIC_OF_CE_TYPE)}."
    raise CommandFailed(f"--type is {name!r}, which is no type of a fact; {hint}", WRONG_USE)


def told(wanted: Filter) -> Iterator[tuple[str, object]]:
    """The filter, for people: (name, value) of what is in it."""
    if wanted.types is not None:
        yield "types", ", ".join(wanted.types)
    if wanted.subject is not None:
        yield "ticket", f"{wanted.subject[1]} of tenant {wanted.subject[0]}"
    elif wanted.tenant_id is not None:
        yield "tenant", wanted.tenant_id
    if wanted.since is not None:
        yield "since", wanted.since.isoformat()
    if wanted.until is not None:
        yield "until", wanted.until.isoformat()


def words(wanted: Filter) -> Iterator[str]:
    """The filter as options that mean the same tomorrow."""
    for ce_type in wanted.types or ():
        yield from ("--type", ce_type)
    if wanted.subject is not None:
        yield from ("--ticket", wanted.subject[1], "--tenant", wanted.subject[0])
    elif wanted.tenant_id is not None:
        yield from ("--tenant", wanted.tenant_id)
    if wanted.since is not None:
        yield from ("--since", wanted.since.isoformat())
    if wanted.until is not None:
        yield from ("--until", wanted.until.isoformat())
    if wanted == Filter():
        yield "--all"


def _time(option: str, text: str | None, now: datetime) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_time(text, now)
    except UnusableTime as error:
        raise CommandFailed(f"{option}: {error}", WRONG_USE) from None
