"""How far behind we are, said once a second: in the metrics, and in /readyz."""

import asyncio
from collections.abc import Collection

from consumer.health import Health
from consumer.intake import Intake
from consumer.party_progress import PartyProgress
from consumer.subscription import Subscription

PERIOD_SECONDS = 1.0
PARTIES = "customer topics"


class Readiness:
    """Looks once a second."""

    def __init__(self, intake: Intake, party_progress: PartyProgress, health: Health) -> None:
        self._intake = intake
        self._party_progress = party_progress
        self._health = health

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            self._intake.measure()
            if self._party_progress.is_caught_up:
                self._health.ready(PARTIES)
            else:
                left = self._party_progress.records_left
                count = "an unknown number of" if left is None else str(left)
                self._health.unready(
                    PARTIES, f"customer topics not read to their end: {count} records left"
                )
            await asyncio.sleep(PERIOD_SECONDS)


class MissingTopics:
    """Topics that we were told to read by name, and that aren't there: nothing else would tell.

    One that a pattern means is read once somebody makes it.
    """

    def __init__(self, subscription: Subscription, health: Health) -> None:
        self._subscription = subscription
        self._health = health

    def note(self, existing: Collection[str]) -> None:
        """Say of each of them whether it is among those that exist."""
        for topic in self._subscription.named:
            if topic in existing:
                self._health.ready(topic)
            else:
                self._health.unready(topic, f"subscribed topic {topic} does not exist")
