"""`ticketing` on a database with dead letters, some of which can be handled by now."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from db.connect import open_pool
from db.tables import metadata
from handlers.identity import request_key, ticket_id, ticket_number
from schemas.envelope import Headers
from tests.integration.command import Command, Done
from tests.integration.test_cli_requests import CUSTOMER, request

TINY = {"MAX_RECORD_BYTES": "9"}
"""Under this rule every record is too large, and can be handled once it is lifted."""

AGENT = {"type": "tenant", "id": "agent-1"}
TICKET = ticket_id(request_key("request", "request_id", "north", "t-1"))
NUMBER = ticket_number(TICKET)


def change(kind: str, **fields: object) -> dict[str, object]:
    """Of the ticket that `open_ticket` opens."""
    common = {"tenant_id": "north", "change": kind, "ticket_id": TICKET, "actor": AGENT}
    return common | fields


@dataclass(slots=True)
class LetterStage:
    """`ticketing`, and the dead letters that it is about."""

    command: Command
    next_offset: int = 0

    def handle(
        self,
        *documents: Any,  # noqa: ANN401  JSON values, or bytes
        topic: str = "ticket.requested",
        key: bytes | None = None,
        headers: Headers = (),
    ) -> list[str]:
        """Hand these over as the consumer does; their ids. Offsets go on over all topics."""
        first = self.next_offset
        self.next_offset += len(documents)
        self.command.handle(*documents, topic=topic, first=first, key=key, headers=headers)
        prefix = self.command.settings.topic_prefix
        return [f"{prefix}{topic}:0:{offset}" for offset in range(first, self.next_offset)]

    def bury(
        self,
        *documents: Any,  # noqa: ANN401  JSON values, or bytes
        topic: str = "ticket.requested",
        key: bytes | None = None,
        headers: Headers = (),
    ) -> list[str]:
        """The same under a rule that makes dead letters of all."""
        before = dict(self.command.environment)
        self.command.environment |= TINY
        ids = self.handle(*documents, topic=topic, key=key, headers=headers)
        self.command.environment = before
        return ids

    def know(self, *ids: str) -> None:
        """Let these customers be known."""
        self.handle(
            *(
                {"customer_id": id_, "tenant_id": "north", "updated_at": "2026-01-01T00:00:00Z"}
                for id_ in ids or (CUSTOMER,)
            ),
            topic="customer.changed",
        )

    def open_ticket(self) -> None:
        """Ticket TICKET of tenant north."""
        self.handle(request(request_id="t-1"))

    def redrive(self, *words: str) -> Done:
        return self.command("dlq", "redrive", *words, "--yes", "--by", "ops")

    def told(self, *words: str) -> list[tuple[Any, ...]]:
        """What became of each letter, in their order: (outcome, code or reason)."""
        done = self.redrive(*words, "--json")
        assert done.out, done.err
        found = sorted(done.json["letters"], key=lambda each: int(each["id"].split(":")[-1]))
        return [(each["outcome"], each["code"] or each["reason"]) for each in found]

    def states(self) -> list[tuple[Any, ...]]:
        return self.ask('SELECT state, outcome, attempts FROM dead_letters ORDER BY "offset"')

    def ask(self, question: str, *arguments: object) -> list[tuple[Any, ...]]:
        return asyncio.run(self._ask(question, arguments))

    def count(self, what: str) -> int:
        ((number,),) = self.ask(f"SELECT count(*) FROM {what}")  # noqa: S608  words of ours
        return int(number)

    def tables(self) -> dict[str, list[str]]:
        """Every row of every table."""
        return asyncio.run(self._tables())

    async def _ask(self, question: str, arguments: Sequence[object]) -> list[tuple[Any, ...]]:
        pool = await open_pool(self.command.settings.database_url.get_secret_value(), size=1)
        rows = [tuple(row) for row in await pool.fetch(question, *arguments)]
        await pool.close()
        return rows

    async def _tables(self) -> dict[str, list[str]]:
        found = {}
        pool = await open_pool(self.command.settings.database_url.get_secret_value(), size=1)
        for table in metadata.sorted_tables:
            rows = await pool.fetch(f"SELECT to_jsonb(t)::text FROM {table.name} t ORDER BY 1")  # noqa: S608  names of ours
            found[table.name] = [row[0] for row in rows]
        await pool.close()
        return found
