"""Round after round to Kafka: what was handed over, or is read from the outbox; two at a time."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import structlog

from consumer.delivery import Delivered, Delivery
from consumer.handover import Handover
from consumer.ledger import MOST_BYTES, MOST_FACTS, Ledger, Round, Settlement
from consumer.letters import Letters
from consumer.metrics import Metrics
from consumer.outgoing import Outgoing, fact_key, facts_going_out
from consumer.shipment import Shipment
from db.held_facts import BEHIND, NO_TOPIC, Block, Hold, Subject

log = structlog.get_logger()

FACTS_AT_ONCE = 500
"""How many facts are made ready before other tasks get their turn: some 3 ms."""

WRITE_OFF_SECONDS = 0.05
"""How long published rows gather before they are deleted: a transaction then serves many rounds."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A round, packed. held: facts that have to wait, whatever becomes of the shipment."""

    round: Round
    shipment: Shipment
    held: Sequence[Hold]

    @property
    def is_ordinary(self) -> bool:
        """Whether the next round may be read before this one is written off.

        A held fact has to be known before a later one of its ticket is read.
        """
        return not (self.held or self.shipment.missing or self.round.letters)


class Rounds:
    """Keeps one round on its way while the next is made ready.

    look_seconds: how often to look into the outbox even if nobody says that something is there.
    """

    def __init__(
        self,
        ledger: Ledger,
        delivery: Delivery,
        letters: Letters,
        handover: Handover,
        *,
        metrics: Metrics,
        topic_of: Callable[[str], str],
        tasks: asyncio.TaskGroup,
        on_landed: Callable[[], None],
        look_seconds: float,
        seconds: Callable[[], float],
    ) -> None:
        self._on_landed = on_landed
        self._tasks = tasks
        self._ledger = ledger
        self._delivery = delivery
        self._letters = letters
        self._handover = handover
        self._metrics = metrics
        self._topic_of = topic_of
        self._look_seconds = look_seconds
        self._seconds = seconds
        self._must_look = True
        self._has_looked = False
        self._looked_at = seconds()
        self._under_way: asyncio.Task[Settlement] | None = None
        self._ids_under_way: Collection[int] = ()
        self._settlement = Settlement()
        self._settling = asyncio.Lock()
        self._ids_settling: Collection[int] = ()
        self._landed = asyncio.Event()

    def look(self) -> None:
        """There is, or may be, something in the outbox that was not handed over."""
        self._must_look = True

    async def turn(self) -> bool:
        """Make the next round ready while one is on its way, then send it.

        True: there is more to do at once. False: not before something is written or arrives, which
        both wake the relay.
        """
        if self._under_way is not None and self._under_way.done():
            await self._arrival()
            await self._hold()
        found = await self._next()
        if not found.claims:
            return False
        prepared = await self._prepare(found)
        await self._arrival()
        if await self._hold() and not found.is_handed_over:
            self._must_look = True
            return True  # what was just read may have to wait behind it: read it again
        self._send(prepared)
        if not prepared.is_ordinary:
            await self.land()
        return self._must_look or self._handover.is_ready

    @property
    def is_under_way(self) -> bool:
        return self._under_way is not None

    async def land(self) -> None:
        """Have nothing on its way and everything written off."""
        await self._arrival()
        await self._settle()

    async def finish(self) -> None:
        """Send what is left, so that what was written just before a stop does not wait."""
        await self.land()
        while (found := self._handed_over()).claims:
            await self._send_alone(found)
        found = await self._read()
        if found.claims:
            await self._send_alone(found)

    async def write_off(self) -> None:
        """For ever: write off what has arrived, soon, and not for each round."""
        while True:
            await self._landed.wait()
            await asyncio.sleep(WRITE_OFF_SECONDS)
            self._landed.clear()
            await self._settle()

    async def _next(self) -> Round:
        """What was handed over and what is in the outbox, by turns."""
        is_time = self._must_look or self._seconds() - self._looked_at >= self._look_seconds
        if not is_time or (self._has_looked and self._handover.is_ready):
            self._has_looked = False
            return self._handed_over()
        self._has_looked = True
        found = await self._read()
        return found if found.claims else self._handed_over()

    def _handed_over(self) -> Round:
        claims, facts = self._handover.take(MOST_FACTS, MOST_BYTES)
        return Round(claims, facts, is_handed_over=True)

    async def _read(self) -> Round:
        self._must_look = False
        self._looked_at = self._seconds()
        taken = {*self._ids_under_way, *self._settlement.outbox_ids, *self._ids_settling}
        found = await self._ledger.read(taken, self._handover.has)
        self._must_look = self._must_look or found.is_cut
        return found

    async def _arrival(self) -> None:
        """Wait for the round that is on its way; it is written off later."""
        if self._under_way is not None:
            arrived = await self._under_way
            self._settlement = self._settlement.and_then(arrived)
            self._under_way, self._ids_under_way = None, ()
            self._landed.set()

    async def _hold(self) -> bool:
        """Write off at once what holds facts: the next question must already know of them."""
        if not self._settlement.held:
            return False
        await self._settle()
        return True

    async def _settle(self) -> None:
        async with self._settling:
            settlement, self._settlement = self._settlement, Settlement()
            if settlement == Settlement():
                return
            self._ids_settling = settlement.outbox_ids
            try:
                await self._ledger.settle(settlement)
            except BaseException:  # told to stop, perhaps: it is still to be written off
                self._settlement = settlement.and_then(self._settlement)
                raise
            finally:
                self._ids_settling = ()

    async def _send_alone(self, found: Round) -> None:
        """Have it sent and written off, with nothing else on its way."""
        self._send(await self._prepare(found))
        await self.land()

    def _send(self, prepared: Prepared) -> None:
        self._ids_under_way = prepared.round.ids
        self._under_way = self._tasks.create_task(self._deliver(prepared), name="relay.round")
        self._under_way.add_done_callback(lambda _: self._on_landed())

    async def _prepare(self, found: Round) -> Prepared:
        going: list[Outgoing] = []
        held: list[Hold] = []
        for first in range(0, len(found.facts), FACTS_AT_ONCE):
            going += facts_going_out(found.facts[first : first + FACTS_AT_ONCE], self._topic_of)
            await asyncio.sleep(0)
        if found.blocked:
            going, held = part(going, found.blocked)
        return Prepared(found, await self._delivery.pack(going), held)

    async def _deliver(self, prepared: Prepared) -> Settlement:
        started = self._seconds()
        found = prepared.round
        delivered = await self._delivery.deliver(prepared.shipment)
        failed = await self._letters.pass_on(found.letters) if found.letters else {}
        held = [*prepared.held, *holds(delivered)]
        elapsed = self._seconds() - started
        self._metrics.relay_rounds.inc()
        for claim in found.claims:
            self._metrics.publish_seconds.observe(claim.age_seconds + elapsed)
        log.debug(
            "relay.published",
            writes=len(found.claims),
            facts=len(found.facts) - len(held),
            held=len(held),
            dead_letters=len(found.letters) - len(failed),
            seconds=round(elapsed, 4),
        )
        if held:
            log.warning("facts.held", facts=len(held), reason=held[0].reason)
        for key, reason in failed.items():
            log.warning("dead_letter.not_passed_on", **key._asdict(), reason=reason)
        return Settlement(outbox_ids=found.ids, held=held, letters=failed)


def part(
    facts: Sequence[Outgoing], blocked: Mapping[Subject, Block]
) -> tuple[list[Outgoing], list[Hold]]:
    """Those that may go, and those that wait behind a fact that is held."""
    going, held = [], []
    for fact in facts:
        key = fact_key(fact)
        block = blocked.get(key[:2])
        if block is None or not block.concerns(fact.topic):
            going.append(fact)
        elif block.behind_refusal:
            held.append(Hold(key, BEHIND))
        else:
            held.append(Hold(key, NO_TOPIC, fact.topic))
    return going, held


def holds(delivered: Delivered) -> list[Hold]:
    """What is to be held of what was not acknowledged.

    A fact without a topic that follows a refused one waits with it, not for its topic.
    """
    refused_at = {fact_key(fact)[:2]: fact_key(fact).sequence for fact, _ in delivered.refused}
    held = [Hold(fact_key(fact), reason) for fact, reason in delivered.refused]
    held += [Hold(fact_key(fact), BEHIND) for fact in delivered.behind]
    for fact in delivered.missing:
        key = fact_key(fact)
        if key.sequence > refused_at.get(key[:2], key.sequence):
            held.append(Hold(key, BEHIND))
        else:
            held.append(Hold(key, NO_TOPIC, fact.topic))
    return held
