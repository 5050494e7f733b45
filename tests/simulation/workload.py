"""What comes in: requests, changes of tickets, customers; late, twice, contradictory and broken."""

from dataclasses import dataclass, field
from random import Random
from typing import Final, NamedTuple

from handlers.identity import request_key, ticket_id
from tests.scenarios.messages import (
    NORTH,
    Message,
    change,
    customer,
    encoded,
    party_id,
    request,
)
from tests.simulation.broker import Item
from tests.simulation.writing import UNSTORABLE

REQUESTS: Final = "ticket.requested"
CHANGES: Final = "ticket.change_requested"
INBOUND: Final = {REQUESTS: 3, CHANGES: 3, "customer.changed": 1, "partner.changed": 1}
"""Topics, and how many partitions each has."""

KNOWN: Final = ("Anna", "Bert", "Cleo")
LATE: Final = ("Dora", "Emil")
STATUSES: Final = ("in_progress", "waiting", "open", "resolved")


class Arriving(NamedTuple):
    """A record, and when and where it comes in."""

    at: float
    topic: str
    partition: int
    item: Item


@dataclass(slots=True)
class Workload:
    """seconds: for how long records come in. is_hot: most are changes of a few tickets."""

    random: Random
    seconds: float
    records: int
    is_hot: bool = False
    arriving: list[Arriving] = field(default_factory=list)
    _requests: list[dict[str, object]] = field(default_factory=list)
    _changes: list[tuple[int, dict[str, object]]] = field(default_factory=list)

    def drawn(self) -> list[Arriving]:
        """All records in the order of their times."""
        for name in KNOWN:
            self._add(0.0, customer(name))
        for name in LATE:
            if self.random.random() < 0.6:
                self._add(self.random.uniform(0.5, self.seconds + 4.0), customer(name))
        at = 0.2
        for _ in range(self.records):
            if self.random.random() < 0.4:  # else it comes in the same burst
                at += self.random.uniform(0.0, 2.5 * self.seconds / self.records)
            self._one(at)
        return sorted(self.arriving, key=lambda each: each.at)

    def _one(self, at: float) -> None:
        kind = self.random.random()
        opens = 0.12 if self.is_hot else 0.36
        if kind < opens or not self._requests:
            self._request(at)
        elif kind < opens + 0.12:
            self._repeat(at)
        elif kind < 0.94:
            self._change(at)
        else:
            self._add(at, customer(self.random.choice(KNOWN), tier=f"tier {at}"))

    def _request(self, at: float) -> None:
        number = len(self._requests)
        kind = self.random.random()
        document = request(number, customer_id=party_id(self.random.choice(KNOWN)))
        if kind < 0.06:
            document["title"] = "no"
        elif kind < 0.09:
            document["title"] = f"Nothing that a database holds {UNSTORABLE}"
            del document["request_id"]  # a duplicate of what is parked and dies later has no trace
            self._add_value(at, REQUESTS, encoded(document))
            return
        elif kind < 0.17:
            document |= _REFUSED
        elif kind < 0.3:
            document["customer_id"] = party_id(self.random.choice(LATE))
        elif kind < 0.34:
            self._add_value(at, REQUESTS, b"{not json")
            return
        self._requests.append(document)
        self._add_value(at, REQUESTS, encoded(document))
        if self.random.random() < 0.2:
            self._add_value(at, REQUESTS, encoded(document | _REFUSED))

    def _repeat(self, at: float) -> None:
        """The same identity once more: the same, or refused this time, or no longer."""
        document = self.random.choice(self._requests[-5:])
        match self.random.randrange(4):
            case 0:
                document = document | _REFUSED
            case 1:
                document = document | _ALLOWED | {"title": f"Said in other words at {at}"}
            case _:
                pass
        self._add_value(at, REQUESTS, encoded(document))
        if self.random.random() < 0.3:
            self._add_value(at, REQUESTS, encoded(document))

    def _change(self, at: float) -> None:
        if self._changes and self.random.random() < 0.15:
            partition, document = self.random.choice(self._changes)
            if self.random.random() < 0.5:
                partition = self.random.randrange(INBOUND[CHANGES])
            self._add_value(at, CHANGES, encoded(document), partition)
            return
        wanted = self.random.choice(self._requests[:3] if self.is_hot else self._requests[-3:])
        for _ in range(self.random.choice((1, 1, 1, 2, 3))):
            self._change_of(wanted, at)

    def _change_of(self, wanted: dict[str, object], at: float) -> None:
        key = request_key("request", "request_id", NORTH, str(wanted["request_id"]))
        document = self._what(at) | {"request_id": f"change-{len(self._changes)}"}
        document = change(str(document.pop("change")), ticket_id(key), **document)
        partition = self.random.randrange(INBOUND[CHANGES])
        self._changes.append((partition, document))
        self._add_value(at, CHANGES, encoded(document), partition)

    def _what(self, at: float) -> dict[str, object]:
        match self.random.randrange(5):
            case 0:
                return {"change": "set_status", "status": self.random.choice(STATUSES)}
            case 1:
                priority = self.random.choice(("low", "normal", "high", "urgent"))
                return {"change": "set_priority", "priority": priority}
            case 2:
                return {"change": "assign", "assigned_team": f"team-{self.random.randrange(3)}"}
            case 3:
                to = {"level": self.random.randrange(1, 4)}
                return {"change": "escalate", "to": to, "reason": "It takes too long."}
            case _:
                text = UNSTORABLE if self.random.random() < 0.1 else f"It is {at:.3f} by now."
                return {"change": "add_message", "body": text}

    def _add_value(self, at: float, topic: str, value: bytes, partition: int | None = None) -> None:
        where = self.random.randrange(INBOUND[topic]) if partition is None else partition
        self.arriving.append(Arriving(at, topic, where, Item(None, value)))

    def _add(self, at: float, message: Message) -> None:
        item = Item(message.key, message.value, message.headers)
        self.arriving.append(Arriving(at, message.topic, 0, item))


_REFUSED: Final = {"origin_type": "customer", "target_type": "platform"}
_ALLOWED: Final = {"origin_type": "customer", "target_type": "tenant"}
