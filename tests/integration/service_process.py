"""A `ticketing run` process of a test: its log lines as they come, its pages, its end."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

SECONDS_FOR_ANYTHING = 60.0
"""No test waits longer for one event; it is no claim about speed."""


@dataclass(slots=True)
class ServiceProcess:
    """A running service; lines: its log so far, each a JSON object (or {"text": ...})."""

    process: asyncio.subprocess.Process
    lines: list[dict[str, Any]] = field(default_factory=list)
    _more: asyncio.Condition = field(default_factory=asyncio.Condition)
    _is_over: bool = False

    async def line(self, event: str, **fields: object) -> dict[str, Any]:
        """Wait for a log line of this event with these fields."""

        def is_it(line: Mapping[str, Any]) -> bool:
            return line.get("event") == event and fields.items() <= line.items()

        return await self.line_where(is_it)

    async def line_where(self, is_it: Callable[[Mapping[str, Any]], bool]) -> dict[str, Any]:
        async with asyncio.timeout(SECONDS_FOR_ANYTHING), self._more:
            while True:
                for line in self.lines:
                    if is_it(line):
                        return line
                if self._is_over:
                    raise AssertionError(f"it ended without that line: {self.lines}")
                await self._more.wait()

    async def page(self, path: str) -> tuple[int, str]:
        """Get a page; the status and the body."""
        address: str = (await self.line("http.listening"))["address"]
        host, _, port = address.rpartition(":")
        async with asyncio.timeout(SECONDS_FOR_ANYTHING):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
            answer = (await reader.read()).decode()
            writer.close()
        head, _, body = answer.partition("\r\n\r\n")
        return int(head.split()[1]), body

    async def document(self, path: str) -> tuple[int, dict[str, Any]]:
        status, body = await self.page(path)
        return status, json.loads(body)

    async def ready(self) -> None:
        """Wait until /readyz is green: asked again after each log line and each second."""
        async with asyncio.timeout(SECONDS_FOR_ANYTHING):
            while (await self.page("/readyz"))[0] != 200:
                async with self._more:
                    try:
                        async with asyncio.timeout(1):
                            await self._more.wait()
                    except TimeoutError:
                        continue

    def signal(self, which: signal.Signals) -> None:
        self.process.send_signal(which)

    async def end(self) -> int:
        """Wait for its end; its exit code, negative where a signal ended it."""
        async with asyncio.timeout(SECONDS_FOR_ANYTHING):
            return await self.process.wait()

    async def read_lines(self) -> None:
        """Keep the lines as they come, until the last."""
        assert self.process.stderr is not None
        async for raw in self.process.stderr:
            try:
                line = json.loads(raw)
            except ValueError:
                line = {"text": raw.decode().rstrip("\n")}
            async with self._more:
                self.lines.append(line)
                self._more.notify_all()
        async with self._more:
            self._is_over = True
            self._more.notify_all()


@asynccontextmanager
async def running_service(
    *arguments: str,
    settings: Mapping[str, str],
    program: Sequence[str] = ("-m", "consumer", "run"),
    stdin: int = asyncio.subprocess.DEVNULL,
) -> AsyncIterator[ServiceProcess]:
    """Run `ticketing run ARGUMENTS` with TICKETING_{name} set; kill it where a test leaves it."""
    environment = {name: each for name, each in os.environ.items() if "TICKETING_" not in name}
    environment |= {"TICKETING_HTTP_PORT": "0"}
    environment |= {f"TICKETING_{name}": each for name, each in settings.items()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *program, *arguments),
        env=environment,
        stdin=stdin,
        stderr=asyncio.subprocess.PIPE,
    )
    service = ServiceProcess(process)
    reading = asyncio.create_task(service.read_lines())
    try:
        yield service
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await reading
