"""What waits for a topic goes out once the topic exists, before anything newer of its tickets."""

from collections.abc import Callable, Sequence

import structlog

from consumer.delivery import Delivery
from consumer.ledger import HELD_AT_ONCE, Ledger, Settlement
from consumer.letters import Letters
from consumer.outgoing import DLQ, fact_key, facts_going_out

log = structlog.get_logger()


class Releases:
    """Looks for missing topics and sends what waited for them, a portion at a time."""

    def __init__(
        self,
        ledger: Ledger,
        delivery: Delivery,
        letters: Letters,
        topic_of: Callable[[str], str],
    ) -> None:
        self._ledger = ledger
        self._delivery = delivery
        self._letters = letters
        self._topic_of = topic_of

    async def release(self, topics: Sequence[str], dlqs: Sequence[str]) -> bool:
        """Send a portion of what can go; whether there is more.

        topics: those that facts wait for. dlqs: the topics whose `.dlq` their dead letters wait
        for.
        """
        wanted = [*topics, *(topic + DLQ for topic in dlqs)]
        if not wanted:
            return False
        exist = await self._delivery.existing(wanted)
        more = [await self._release_facts(topic) for topic in topics if topic in exist]
        more += [await self._release_letters(topic) for topic in dlqs if topic + DLQ in exist]
        return any(more)

    async def _release_facts(self, topic: str) -> bool:
        keys, rows = await self._ledger.held_for(topic)
        going = facts_going_out(rows, self._topic_of)
        delivered = await self._delivery.deliver(await self._delivery.pack(going))
        refused = {fact_key(fact): reason for fact, reason in delivered.refused}
        staying = {fact_key(fact) for fact in (*delivered.behind, *delivered.missing)}
        released = [key for key in keys if key not in refused and key not in staying]
        await self._ledger.settle(Settlement(released=released, refused=refused))
        log.info("facts.released", topic=topic, facts=len(released), refused=len(refused))
        return len(keys) == HELD_AT_ONCE and bool(released)

    async def _release_letters(self, topic: str) -> bool:
        waiting = await self._ledger.letters_for(topic)
        passed_on = dict.fromkeys(key for key, _ in waiting)
        outcomes = passed_on | await self._letters.pass_on(waiting)
        await self._ledger.settle(Settlement(letters=outcomes))
        log.info("dead_letters.released", topic=topic, letters=len(waiting))
        return len(waiting) == HELD_AT_ONCE
