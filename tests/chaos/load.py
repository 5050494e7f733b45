"""A steady load of known content: what it has sent must all be found again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError
from confluent_kafka import Message as Delivered

from handlers.identity import request_key, ticket_id
from tests.scenarios.messages import Message, change_requested, customer, party_id, requested
from tests.scenarios.world import World

TENANTS: Final = ("north", "south")
PEOPLE: Final = 40
"""Customers of each tenant."""

TICK_SECONDS: Final = 0.05
REMEMBERED: Final = 500
"""Requests that may be repeated or changed: so many of the last ones."""

ENOUGH: Final = 50
"""Acknowledged records: the load flows."""

PATIENCE_SECONDS: Final = 300
OPTIONS: Final = {
    "enable_idempotence": True,  # a record that is sent once is there once
    "delivery_timeout_ms": PATIENCE_SECONDS * 1000,
    "retry_backoff_ms": 50,
    "reconnect_backoff_max_ms": 500,
}


class Recent(NamedTuple):
    """A request that was sent. name: its request id."""

    tenant: str
    name: str
    message: Message


class Load:
    """Requests, changes, repetitions, broken records and customers, by a seed.

    acknowledged: how many records the broker has taken since `forget`. accepted: the identities
    (tenant, request key) among them that must be on record.
    """

    def __init__(self, world: World, rng: Random, *, per_second: int) -> None:
        self._world = world
        self._rng = rng
        self._per_tick = max(1, round(per_second * TICK_SECONDS))
        self._producer = world.producer(**OPTIONS)
        self._going = asyncio.Event()
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self._running: asyncio.Task[None] | None = None
        self._number = 0
        self._recent: list[Recent] = []
        self.acknowledged = 0
        self.accepted: set[tuple[str, str]] = set()
        self.refused: list[str] = []

    def forget(self) -> None:
        """Begin to count anew."""
        self.acknowledged = 0
        self.accepted = set()

    def start(self) -> None:
        """Have records come in from now on."""
        self._going.set()

    async def is_flowing(self) -> bool:
        """Whether enough has come in since `forget`; raises what has ended the load."""
        if self._running is not None and self._running.done():
            self._running.result()
        return self.acknowledged >= ENOUGH

    async def pause(self) -> None:
        """Send nothing more; returns once all that was sent is acknowledged."""
        self._going.clear()
        await self._at_rest.wait()
        left = await asyncio.to_thread(self._producer.flush, PATIENCE_SECONDS)
        assert left == 0, f"{left} records of the load were not acknowledged"
        assert self.refused == []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The load, paused at first, while the block lasts."""
        self._send_customers()
        self._running = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    def _send_customers(self) -> None:
        for tenant in TENANTS:
            for number in range(PEOPLE):
                self._send(customer(person(tenant, number), tenant_id=tenant))

    async def _run(self) -> None:
        while True:
            if not self._going.is_set():
                self._at_rest.set()
                await self._going.wait()
                self._at_rest.clear()
            for _ in range(self._per_tick):
                self._send_one()
            await asyncio.sleep(TICK_SECONDS)

    def _send_one(self) -> None:
        self._number += 1
        tenant = self._rng.choice(TENANTS)
        somebody = person(tenant, self._rng.randrange(PEOPLE))
        match self._rng.choices(
            ("new", "change", "again", "broken", "unknown", "customer"), (60, 18, 9, 5, 3, 5)
        ):
            case ["change"] if self._recent:
                self._send_change()
            case ["again"] if self._recent:
                self._send(self._rng.choice(self._recent).message)
            case ["broken"]:
                self._send(requested(self._number, tenant_id=tenant, title=""))
            case ["unknown"]:
                nobody = party_id(f"nobody {self._number}")
                self._send_request(tenant, nobody)
            case ["customer"]:
                self._send(customer(somebody, tenant_id=tenant))
            case _:
                self._send_request(tenant, party_id(somebody))

    def _send_request(self, tenant: str, customer_id: str) -> None:
        name = f"request-{self._number}"
        message = requested(self._number, tenant_id=tenant, customer_id=customer_id)
        self._send(message, (tenant, request_key("request", "request_id", tenant, name)))
        self._recent = [*self._recent[1 - REMEMBERED :], Recent(tenant, name, message)]

    def _send_change(self) -> None:
        tenant, name, _ = self._rng.choice(self._recent)
        ticket = ticket_id(request_key("request", "request_id", tenant, name))
        change = f"change-{self._number}"
        kinds: dict[str, dict[str, Any]] = {
            "add_message": {"body": f"Any news? {self._number}"},
            "set_priority": {"priority": self._rng.choice(("low", "normal", "high"))},
            "assign": {"assigned_team": self._rng.choice(("field", "network"))},
        }
        kind = self._rng.choice(sorted(kinds))
        self._send(
            change_requested(kind, ticket, tenant_id=tenant, request_id=change, **kinds[kind]),
            (tenant, request_key("change", "request_id", tenant, change)),
        )

    def _send(self, message: Message, identity: tuple[str, str] | None = None) -> None:
        self._world.produce(self._producer, message, on_delivery=self._noting(identity))

    def _noting(
        self, identity: tuple[str, str] | None
    ) -> Callable[[KafkaError | None, Delivered], None]:
        def note(error: KafkaError | None, _: Delivered) -> None:
            if error is not None:
                self.refused.append(str(error))
                return
            self.acknowledged += 1
            if identity is not None:
                self.accepted.add(identity)

        return note


def person(tenant: str, number: int) -> str:
    """The name of a customer."""
    return f"{tenant} {number}"
