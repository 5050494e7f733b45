"""A relay in a process of its own, to be stopped and continued: URL, brokers, topic prefix."""

import asyncio
import sys

from consumer import ledger
from tests.integration.relay_stage import staged


async def main(database_url: str, kafka: str, prefix: str) -> None:
    ledger.MOST_FACTS = 50
    async with staged(database_url, kafka, prefix) as stage:
        await stage.relay(holder="zombie").run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
