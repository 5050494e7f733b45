"""Round after round from the outbox: read, packed, sent, written off; two at a time."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from consumer.delivery import Delivered, Delivery
from consumer.ledger import Ledger, Round, Settlement
from consumer.letters import Letters
from consumer.metrics import Metrics
from consumer.outgoing import Outgoing, fact_key, facts_going_out
from consumer.shipment import Shipment
from db.held_facts import BEHIND, NO_TOPIC, Block, Hold, Subject

log = structlog.get_logger()

FACTS_AT_ONCE = 500
"""How many facts are made ready before other tasks get their turn: some 3 ms."""


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
    """Keeps one round on its way while the next is read and packed."""

    def __init__(
        self,
        ledger: Ledger,
        delivery: Delivery,
        letters: Letters,
        *,
        metrics: Metrics,
        topic_of: Callable[[str], str],
        tasks: asyncio.TaskGroup,
        on_landed: Callable[[], None],
        seconds: Callable[[], float],
    ) -> None:
        self._on_landed = on_landed
        self._tasks = tasks
        self._ledger = ledger
        self._delivery = delivery
        self._letters = letters
        self._metrics = metrics
        self._topic_of = topic_of
        self._seconds = seconds
        self._under_way: asyncio.Task[Settlement] | None = None
        self._ids_under_way: frozenset[int] = frozenset()
        self._settlement: Settlement | None = None

    async def turn(self) -> bool:
        """Read the next round while one is on its way, then send it.

        True: there is more to do at once. False: not before something is written or arrives, which
        both wake the relay.
        """
        if self._under_way is not None and self._under_way.done():
            await self._arrival()
            await self._hold()
        found = await self._exchange()
        if found is None:
            return False
        prepared = await self._prepare(found)
        await self._arrival()
        if await self._hold():
            return True  # what was just read may have to wait behind it: read it again
        self._send(prepared)
        if not prepared.is_ordinary:
            await self.land()
        return found.is_cut

    @property
    def is_under_way(self) -> bool:
        return self._under_way is not None

    async def land(self) -> None:
        """Have nothing on its way and everything written off."""
        await self._arrival()
        if self._settlement is not None:
            await self._ledger.settle(self._settlement)
            self._settlement = None

    async def finish(self) -> None:
        """Send one more round, so that what was written just before a stop does not wait."""
        await self.land()
        if (found := await self._exchange()) is not None:
            self._send(await self._prepare(found))
        await self.land()

    async def _exchange(self) -> Round | None:
        found = await self._ledger.exchange(self._settlement, self._ids_under_way)
        self._settlement = None
        return found

    async def _arrival(self) -> None:
        """Wait for the round that is on its way; the next exchange writes it off."""
        if self._under_way is not None:
            self._under_way.remove_done_callback(self._landed)
            arrived = await self._under_way
            earlier = self._settlement
            self._settlement = arrived if earlier is None else earlier.and_then(arrived)
            self._under_way, self._ids_under_way = None, frozenset()

    async def _hold(self) -> bool:
        """Write off at once what holds facts: the next question must already know of them."""
        if self._settlement is None or not self._settlement.held:
            return False
        await self.land()
        return True

    def _send(self, prepared: Prepared) -> None:
        self._ids_under_way = frozenset(prepared.round.ids)
        self._under_way = self._tasks.create_task(self._deliver(prepared), name="relay.round")
        self._under_way.add_done_callback(self._landed)

    def _landed(self, _: asyncio.Task[Settlement]) -> None:
        self._on_landed()

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
