"""One seed's world: its processes, its servers, and what befalls them, until all is at rest."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from aiokafka import TopicPartition

from consumer.metrics import Metrics
from consumer.outgoing import DLQ
from consumer.roles import ALL_ROLES, Role
from consumer.settings import Settings
from db.tables import NO_DEAD_LETTER_TOPIC
from schemas.catalogue import TOPIC_OF_CE_TYPE
from tests.simulation.broker import Broker
from tests.simulation.chaos import HOLDING, Chaos, Plan
from tests.simulation.group import Group
from tests.simulation.loop import SimulatedLoop, SimulatedProcess
from tests.simulation.server import Server
from tests.simulation.service import Outskirts, Service
from tests.simulation.store import Database
from tests.simulation.trace import Trace
from tests.simulation.wire import Wire
from tests.simulation.workload import INBOUND, Workload

BEGINNING: Final = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TROUBLED_SECONDS: Final = 13.0
"""How long things go wrong; records come in during the first half."""

REST_SECONDS: Final = 240.0
"""So long after the last fault everything has to be done."""

OUTBOUND: Final = sorted(set(TOPIC_OF_CE_TYPE.values()))
MISSABLE: Final = ("ticket.updated", "ticket.updated", "ticket.rejected", "ticket.escalated")
LETTER_TOPICS: Final = [topic + DLQ for topic in INBOUND]


@dataclass(slots=True)
class World:
    """Made and run inside its own loop. settings and metrics: the same for every seed."""

    loop: SimulatedLoop
    random: Random
    trace: Trace
    settings: Settings
    metrics: Metrics
    broker: Broker = field(init=False)
    database: Database = field(init=False)
    group: Group = field(init=False)
    server: Server = field(init=False)
    wire: Wire = field(init=False)
    outskirts: Outskirts = field(init=False)
    slots: dict[str, frozenset[Role]] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    processes: list[SimulatedProcess] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    plan: Plan = field(init=False)
    _is_open: bool = True

    def __post_init__(self) -> None:
        loop, random = self.loop, self.random
        self.broker = Broker(lambda: int(self.now().timestamp() * 1000))
        self.database = Database(self.now)
        self.plan = plan = Plan.drawn(random, until=TROUBLED_SECONDS)
        self.trace.note(
            "plan", f"{[*map(str, plan.kinds)]} {plan.rate} {plan.favourite} {plan.most}"
        )
        chaos = Chaos(random, plan)
        self.wire = Wire(loop, random, chaos, self.trace, self._killed, self._froze)
        self.server = Server(self.database, self.wire)
        self.group = Group(
            lambda topic: len(self.broker.topics.get(topic, ())), loop.time, self.wire.later
        )
        self.outskirts = Outskirts(
            self.settings,
            self.metrics,
            self.server,
            self.broker,
            self.group,
            self.wire,
            batch_bytes=random.choice((1_500, 4_000, 512 * 1024)),
        )

    def now(self) -> datetime:
        return BEGINNING + timedelta(seconds=self.loop.time())

    # The course of things

    async def run(self) -> None:
        """From the first record until nothing is left to do and everybody has left."""
        self._make_topics()
        self._sweep_group()
        random = self.random
        workload = Workload(
            random,
            TROUBLED_SECONDS / 2,
            random.randint(14, 36),
            is_hot=self.plan.favourite == HOLDING or random.random() < 0.2,
        )
        for arriving in workload.drawn():
            where = (arriving.topic, arriving.partition, [arriving.item])
            self.wire.later(arriving.at, self.broker.publish, *where)
        self._draw_slots()
        for at, event in self._events():
            self.wire.later(at, event)
        await asyncio.sleep(TROUBLED_SECONDS + 0.01)
        self._calm_down()
        await self.come_to_rest()
        await self.leave()

    async def come_to_rest(self) -> None:
        """Wait until nothing is left to do. What is still left then, the judge will find."""
        await self._until(lambda: bool(self.errors) or not any(self.left_to_do()))

    async def leave(self) -> None:
        """Stop all processes in order."""
        self._is_open = False
        for service in self.services.values():
            if service.runs:
                service.ask_to_stop()
        await self._until(lambda: not any(service.runs for service in self.services.values()))
        for service in self.services.values():
            if service.runs:
                self.errors.append(AssertionError(f"{service.process.name} does not stop"))

    async def _until(self, is_so: Callable[[], bool]) -> None:
        """Or for as long as it may take at most."""
        end = self.loop.time() + REST_SECONDS
        while not is_so() and self.loop.time() < end:  # noqa: ASYNC110  of virtual time
            await asyncio.sleep(0.5)

    async def repeat(self) -> None:
        """Have one more process read everything again."""
        self.group.committed.clear()
        self._is_open = True
        self.slots = {"Z": ALL_ROLES}
        self.services.clear()
        self._start("Z")
        await asyncio.sleep(1.0)
        await self.come_to_rest()
        await self.leave()

    def left_to_do(self) -> Iterator[str]:
        """What is not done yet."""
        for topic in INBOUND:
            for log in self.broker.topics[topic]:
                place = TopicPartition(topic, log.partition)
                if self.group.committed.get(place, 0) < log.end:
                    yield f"{topic}:{log.partition} is not read to its end"
        for table in ("outbox", "parked_requests"):
            if self.database.tables[table]:
                yield f"{table} is not empty"
        if any(row["missing_topic"] for row in self.database.tables["held_facts"].values()):
            yield "facts wait for a topic that exists"
        letters = self.database.tables["dead_letters"].values()
        if any(row["publish_error"] == NO_DEAD_LETTER_TOPIC for row in letters):
            yield "dead letters wait for a topic that exists"

    async def clear_away(self) -> None:
        """Let go of everything."""
        self._is_open = False
        await self.loop.clear_away(self.processes)

    # Processes

    def _draw_slots(self) -> None:
        random = self.random
        if random.random() < 0.2:  # the relay comes late, and finds what has gathered
            for slot in "AB":
                self._add_slot(slot, ALL_ROLES - {Role.RELAY}, random.uniform(0.0, 0.5))
            self._add_slot("C", frozenset({Role.RELAY}), random.uniform(3.0, 9.0))
            return
        numbers = random.choice((2, 2, 3))
        with_timers = random.randrange(numbers)
        for number in range(numbers):
            roles = set(ALL_ROLES)
            if number != with_timers and random.random() < 0.8:
                roles.discard(Role.TIMERS)
            self._add_slot("ABC"[number], frozenset(roles), random.uniform(0.0, 1.0))

    def _add_slot(self, slot: str, roles: frozenset[Role], starts_at: float) -> None:
        self.slots[slot] = roles
        self.wire.later(starts_at, self._start, slot)

    def _start(self, slot: str) -> None:
        if not self._is_open or (slot in self.services and self.services[slot].runs):
            return
        process = SimulatedProcess(f"{slot}{len(self.processes)}")
        self.processes.append(process)
        self.trace.note(process.name, "starts")
        self.services[slot] = Service(process, self.slots[slot], self.outskirts, self._ended)

    def _killed(self, process: SimulatedProcess) -> None:
        self.server.process_died(process)
        self._replace(process.name[0])

    def _ended(self, service: Service) -> None:
        if service.error is not None:
            self.errors.append(service.error)
        self._replace(service.process.name[0])

    def _replace(self, slot: str) -> None:
        if self._is_open:
            self.wire.later(self.random.uniform(0.1, 4.0), self._start, slot)

    def _froze(self, process: SimulatedProcess) -> None:
        self.server.process_froze(process)

    # What befalls them

    def _make_topics(self) -> None:
        random = self.random
        missing = {random.choice(MISSABLE)} if random.random() < 0.3 else set()
        if self.plan.favourite == HOLDING:
            missing.add("ticket.updated")
        if random.random() < 0.2:
            missing.add(random.choice(LETTER_TOPICS))
        for topic, partitions in INBOUND.items():
            self.broker.create(topic, partitions)
        for topic in (*OUTBOUND, *LETTER_TOPICS):
            if topic in missing:
                latest = 7.0 if self.plan.favourite == HOLDING else 12.0
                self.wire.later(random.uniform(2.0, latest), self.broker.create, topic, 2)
            else:
                self.broker.create(topic, 2)

    def _events(self) -> Iterator[tuple[float, Callable[[], None]]]:
        """Times, and what happens then."""
        random = self.random
        for event, most in (
            (self._restart, 2),
            (self._database_outage, 1),
            (self._broker_outage, 1),
            (self._rewind, 2),
        ):
            for _ in range(random.randint(0, most) if random.random() < 0.4 else 0):
                yield random.uniform(0.5, TROUBLED_SECONDS - 1.0), event

    def _restart(self) -> None:
        running = [service for service in self.services.values() if service.runs]
        if running:
            self.random.choice(running).ask_to_stop()

    def _database_outage(self) -> None:
        self.trace.note("world", "the database is away")
        self.server.go_down()
        self.wire.later(self.random.uniform(0.2, 7.0), self.server.come_up)

    def _broker_outage(self) -> None:
        self.trace.note("world", "the broker is away")
        self.broker.go_down()
        self.wire.later(self.random.uniform(0.2, 12.0), self.broker.come_up)

    def _rewind(self) -> None:
        """Offsets are lost, as when the coordinator's newest ones had no replica."""
        for place in sorted(self.group.committed):
            if self.random.random() < 0.5:
                at = self.random.randint(0, self.group.committed[place])
                self.trace.note("world", f"{place.topic}:{place.partition} is back at {at}")
                self.group.committed[place] = at
        self.group.disband()

    def _calm_down(self) -> None:
        """From now on everything works."""
        self.trace.note("world", "nothing goes wrong any more")
        self.server.come_up()
        self.broker.come_up()
        for topic in (*OUTBOUND, *LETTER_TOPICS):
            self.broker.create(topic, 2)
        self.wire.waiting_for_lease.clear()
        for process in self.processes:
            if process.is_frozen:
                self.loop.thaw(process)
        for slot in self.slots:
            self._start(slot)

    def _sweep_group(self) -> None:
        self.group.sweep()
        self.wire.later(1.0, self._sweep_group)
