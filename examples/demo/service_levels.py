"""Targets of seconds: a warning, a pause, a breach and the ladder, as a subscriber reads them."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, Message

from consumer.standing import Standing, clocks_of
from db.connect import connect
from examples.demo.burst import batches, headers_of, reading
from examples.demo.mixed import FILES, send
from examples.demo.stage import DemoFailed, Stage, ticketing
from schemas.vocabulary import ChangeKind

POLICY: Final = FILES / "policy.yaml"
TENANT: Final = "southnet"
CUSTOMER: Final = 1001
AGENT: Final = {"type": "tenant", "id": "ida"}
TOPICS: Final = (
    *("ticket.created", "ticket.updated", "ticket.escalated"),
    *("sla.warning", "sla.breached", "sla.breach_annulled"),
)


class Published(NamedTuple):
    """A fact of a ticket, as it was read."""

    ce_type: str
    data: Mapping[str, Any]


@dataclass(slots=True)
class Watched:
    """A ticket that is followed. facts: what was read of it so far, by sequence."""

    title: str
    request_id: str
    facts: dict[int, Published] = field(default_factory=dict)

    @property
    def opened(self) -> Mapping[str, Any]:
        """The data of its `ticket.created`, which must have been read."""
        return self.facts[1].data

    @property
    def is_whole(self) -> bool:
        """Whether all up to the last one are there: topics are read in no order."""
        return len(self.facts) == max(self.facts, default=1)

    def told(self, ce_type: str, **fields: object) -> bool:
        """Whether a fact of this type says this."""
        return any(
            fact.ce_type == ce_type and fields.items() <= fact.data.items()
            for fact in self.facts.values()
        )

    def has_become(self, status: str) -> bool:
        """Whether a fact tells of this status."""
        return any(
            fact.data.get("changes", {}).get("status", {}).get("to") == status
            for fact in self.facts.values()
        )


@dataclass(frozen=True, slots=True)
class Shown:
    """What there is to see. clocks: of the ticket that waited, as they stand at that instant."""

    tickets: Sequence[Watched]
    waited: Watched
    clocks: Sequence[Standing]
    at: datetime


def watch(stage: Stage) -> Shown:
    """Apply the policy, and let three tickets live under it: some five seconds."""
    ticketing(stage, "policy", "apply", str(POLICY), "--yes")
    with reading(stage, *TOPICS) as subscriber:
        desk = Desk(stage, subscriber)
        alone, waiting, quick = desk.open(
            "Nobody answers", "Answered, but the customer is slow", "Answered and solved in time"
        )
        desk.change(waiting, ChangeKind.ADD_MESSAGE, body="Which lights are on?")
        desk.change(quick, ChangeKind.ADD_MESSAGE, body="We have restarted your line.")
        desk.change(quick, ChangeKind.SET_STATUS, status="resolved")
        desk.read_until(lambda: waiting.told("sla.warning"))
        desk.change(waiting, ChangeKind.SET_STATUS, status="waiting")
        desk.read_until(lambda: alone.told("sla.breached", metric="first_response"))
        desk.change(waiting, ChangeKind.SET_STATUS, status="in_progress")
        desk.read_until(lambda: all(each.told("ticket.escalated") for each in (alone, waiting)))
        desk.change(waiting, ChangeKind.SET_STATUS, status="resolved")
        desk.read_until(lambda: waiting.has_become("resolved") and desk.is_whole)
    return asyncio.run(_with_clocks(stage, desk.tickets, waiting))


class Desk:
    """Sends requests and changes, and reads what is published of their tickets."""

    def __init__(self, stage: Stage, subscriber: Consumer) -> None:
        self.tickets: list[Watched] = []
        self._stage = stage
        self._messages: Iterator[list[Message]] = batches(subscriber)
        self._numbers = count(1)

    @property
    def is_whole(self) -> bool:
        return all(each.is_whole for each in self.tickets)

    def open(self, *titles: str) -> list[Watched]:
        """Open a ticket with each title, all at once; returns when they can be read."""
        opened = [Watched(title, f"levels-{next(self._numbers)}") for title in titles]
        self.tickets += opened
        send(self._stage, "ticket.requested", [(None, _request(each)) for each in opened])
        self.read_until(lambda: all(each.told("ticket.created") for each in opened))
        return opened

    def change(self, ticket: Watched, change: ChangeKind, **fields: str) -> None:
        """Ask for a change by an agent."""
        document = {
            "request_id": f"levels-{next(self._numbers)}",
            "tenant_id": TENANT,
            "ticket_id": ticket.opened["ticket_id"],
            "actor": AGENT,
            "change": change,
            **fields,
        }
        key = ticket.opened["ticket_id"].encode()
        send(self._stage, "ticket.change_requested", [(key, json.dumps(document).encode())])

    def read_until(self, is_there: Callable[[], bool]) -> None:
        """Read facts until this holds. Raises DemoFailed when none come any more."""
        while not is_there():
            messages = next(self._messages, None)
            if messages is None:
                raise DemoFailed("A fact about service levels was waited for and did not come.")
            for message in messages:
                self._note(message)

    def _note(self, message: Message) -> None:
        ce_type = headers_of(message)["ce_type"]
        data = json.loads(message.value() or b"{}")
        for ticket in self.tickets:
            if ticket.request_id == data.get("request_id") or (
                ticket.told("ticket.created") and ticket.opened["ticket_id"] == data["ticket_id"]
            ):
                ticket.facts[data["sequence"]] = Published(ce_type, data)


def _request(ticket: Watched) -> bytes:
    return json.dumps(
        {
            "request_id": ticket.request_id,
            "tenant_id": TENANT,
            "customer_id": CUSTOMER,
            "title": ticket.title,
            "description": "No connection since this morning.",
            "assigned_team": "hotline",
        }
    ).encode()


async def _with_clocks(stage: Stage, tickets: Sequence[Watched], waited: Watched) -> Shown:
    connection = await connect(stage.settings.database_url.get_secret_value())
    try:
        now = await connection.fetchval("SELECT now()")
        clocks = await clocks_of(connection, TENANT, waited.opened["ticket_id"], now)
    finally:
        await connection.close()
    return Shown(tickets, waited, clocks, now)
