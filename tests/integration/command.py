"""`ticketing` as an operator runs it, in this process: what it prints, and its exit code."""

import asyncio
import io
import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from consumer.__main__ import main
from consumer.settings import Settings
from consumer.subscription import Subscription
from consumer.transaction import transaction
from db.connect import open_pool
from handlers.batch import Setting, handle
from handlers.entries import read
from handlers.outcomes import Rules
from handlers.record import StoredRecord
from schemas.envelope import Headers

BLANKS = re.compile(r"(\S) {2,}(?=\S)")
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
AGE = re.compile(r"(in \d[\dhmsd ]*|\d[\dhmsd ]* ago)\b")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NUMBER = re.compile(r"TCK-[0-9A-F]{12}")


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401  any JSON value
        return json.loads(self.out)

    @property
    def page(self) -> list[str]:
        """What it printed, with what differs from run to run, and its width, made the same."""
        text = STAMP.sub("TIME", self.out)
        text = NUMBER.sub("TCK-NUMBER", UUID.sub("UUID", AGE.sub("AGE", text)))
        return [BLANKS.sub(r"\1  ", line) for line in text.splitlines()]


@dataclass(slots=True)
class Command:
    """Runs `ticketing` with these settings, without TICKETING_ before their names."""

    environment: dict[str, str]
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    @property
    def settings(self) -> Settings:
        values: dict[str, Any] = {name.lower(): each for name, each in self.environment.items()}
        return Settings(_env_file=None, **values)

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Done:
        for name in [name for name in os.environ if name.startswith("TICKETING_")]:
            self.monkeypatch.delenv(name)
        for name, value in self.environment.items():
            self.monkeypatch.setenv(f"TICKETING_{name}", value)
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        code = ended.value.code
        captured = self.capsys.readouterr()
        assert isinstance(code, int)
        assert "Traceback" not in captured.err
        return Done(code, captured.out, captured.err)

    def in_terminal(self, columns: int = 80) -> None:
        """From now on output goes to a terminal so wide; without colour, to be read here."""
        for name, value in {
            "FORCE_COLOR": "1",
            "NO_COLOR": "1",
            "TERM": "dumb",
            "COLUMNS": str(columns),
        }.items():
            self.monkeypatch.setenv(name, value)

    def handle(
        self,
        *documents: Any,  # noqa: ANN401  JSON values, or bytes
        topic: str = "ticket.requested",
        first: int = 0,
        key: bytes | None = None,
        headers: Headers = (),
    ) -> list[StoredRecord]:
        """Give these their outcomes, as the consumer does, and publish nothing.

        first: the offset of the first one.
        """
        records = [
            StoredRecord(
                self.settings.topic_prefix + topic,
                0,
                offset,
                1_750_000_000_000,
                key,
                document if isinstance(document, bytes) else json.dumps(document).encode(),
                tuple(headers),
            )
            for offset, document in enumerate(documents, first)
        ]
        asyncio.run(self._handle(records))
        return records

    async def _handle(self, records: Sequence[StoredRecord]) -> None:
        settings = self.settings
        subscription = Subscription(settings)
        pool = await open_pool(settings.database_url.get_secret_value(), size=1)
        async with transaction(pool) as connection:
            entries = []
            for record in records:
                role = subscription.role_of(record.topic)
                assert role is not None
                entries.append(read(record, role, settings.max_record_bytes))
            await handle(connection, entries, Setting(Rules(), "test"))
        await pool.close()

    def execute(self, statement: str) -> None:
        """Change the database directly, to what a test is about."""
        asyncio.run(self._execute(statement))

    async def _execute(self, statement: str) -> None:
        pool = await open_pool(self.settings.database_url.get_secret_value(), size=1)
        await pool.execute(statement)
        await pool.close()
