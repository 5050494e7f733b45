"""The programs under examples/, run against the service on real Kafka."""

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.generated_docs import ROOT
from tests.node_packages import installed
from tests.scenarios.messages import Message, change_requested, customer, request
from tests.scenarios.world import PATIENCE_SECONDS, World

OPENED = "ticket.created"
CHANGED = "ticket.status_changed"


class Reader:
    """A subscriber that runs: what it prints, line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def facts(self, number: int) -> list[dict[str, Any]]:
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            lines = [await self._process.stdout.readline() for _ in range(number)]
        return [json.loads(line) for line in lines]


@asynccontextmanager
async def reading(
    command: Sequence[str], environment: dict[str, str] | None = None
) -> AsyncIterator[Reader]:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
        preexec_fn=_hear_of_interrupts,
    )
    try:
        yield Reader(process)
    finally:
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE_SECONDS):
            code = await process.wait()
        assert code == 0


def _hear_of_interrupts() -> None:
    """As in a terminal: who runs the tests in the background may have SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def python_example(world: World, name: str, *options: str) -> list[str]:
    servers = ["--bootstrap-servers", world.kafka, "--group", f"{world.prefix}{name}"]
    return [sys.executable, "-m", f"examples.{name}", *servers, *options]


async def published(world: World, *documents: object) -> None:
    """Have the example publisher send them."""
    topic = f"{world.prefix}ticket.requested"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "examples.publisher"),
        *("--bootstrap-servers", world.kafka, "--topic", topic),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
    )
    await process.communicate("".join(f"{json.dumps(each)}\n" for each in documents).encode())
    assert process.returncode == 0


async def asked(world: World, status: str, ticket: str) -> None:
    await world.publish(change_requested("set_status", ticket, status=status))


async def sent_again(world: World, topic: str, *, mark: bool = False) -> None:
    """Repeat what is on a topic, as a producer does that got no answer, or as `republish` does."""
    for record in await world.read(topic):
        marked = [("ce_replayed", b"true")] if mark else []
        headers = [*record.headers, *marked]
        await world.publish(
            Message(record.value, record.key, headers, topic, partition=record.partition)
        )


async def opened(world: World, *documents: object) -> list[str]:
    await published(world, *documents)
    await world.until_rows("tickets", len(documents))
    rows = await world.ask("SELECT id FROM tickets ORDER BY request_id")
    return [str(row["id"]) for row in rows]


async def test_a_request_is_published_and_its_facts_are_read_once(
    world: World, tmp_path: Path
) -> None:
    await world.publish(customer())
    topic = f"{world.prefix}ticket.updated"
    state = ("--state", str(tmp_path / "seen.sqlite"))
    subscriber = python_example(world, "subscriber", "--topic", topic, *state)
    node = installed(ROOT / "examples" / "node")
    options = ["--bootstrap-servers", world.kafka, "--group", f"{world.prefix}node"]
    in_node = ["node", str(node / "subscriber.mjs"), *options, "--topic", topic]
    async with world.service():
        (ticket,) = await opened(world, request(1))
        await asked(world, "waiting", ticket)
        await world.until_rows("ticket_facts", 2)
        await world.until_at_rest()
        await sent_again(world, "ticket.updated")
        await sent_again(world, "ticket.updated", mark=True)
        await asked(world, "in_progress", ticket)
        expected = [
            {"type": CHANGED, "ticket": ticket, "sequence": 2},
            {"type": CHANGED, "ticket": ticket, "sequence": 3},
        ]
        async with reading(subscriber) as python, reading(in_node) as javascript:
            assert await python.facts(2) == expected
            assert await javascript.facts(2) == expected
        await asked(world, "waiting", ticket)
        forgotten = [*subscriber, "--group", f"{world.prefix}other"]
        async with reading(forgotten) as again:  # offsets are gone, what it has seen is not
            assert await again.facts(1) == [{"type": CHANGED, "ticket": ticket, "sequence": 4}]


async def test_facts_of_all_topics_are_put_in_order(world: World, tmp_path: Path) -> None:
    await world.publish(customer())
    state = ("--state", str(tmp_path / "ordered.sqlite"), "--prefix", world.prefix)
    async with (
        world.service(),
        reading(python_example(world, "ordered_subscriber", *state)) as subscriber,
    ):
        tickets = await opened(world, *(request(number) for number in range(5)))
        for ticket in tickets:
            await world.publish(
                change_requested("escalate", ticket, to={"level": 1}),
                change_requested("set_status", ticket, status="waiting"),
                change_requested("escalate", ticket, to={"level": 2}),
            )
        facts = await subscriber.facts(4 * len(tickets))
    kinds = [OPENED, "ticket.escalated", CHANGED, "ticket.escalated"]
    for ticket in tickets:
        told = [(each["sequence"], each["type"]) for each in facts if each["ticket"] == ticket]
        assert told == list(enumerate(kinds, 1))


def blocks(page: str) -> list[str]:
    """The command blocks of a how-to page."""
    text = (ROOT / "docs" / "how-to" / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


def here(world: World, command: str, folder: Path) -> list[str]:
    """The command for this world's broker, topics and folder, in the words of a shell."""
    command = command.replace("127.0.0.1:9092", world.kafka)
    command = command.replace("examples/node", str(folder / "node"))
    command = command.replace("--topic ", f"--topic {world.prefix}")
    if "_subscriber" in command:
        command += f" --prefix {shlex.quote(world.prefix)}"
    if "ubscriber" in command:
        command += f" --group {world.prefix}{len(command)}"
    if "-m examples" in command and "ubscriber" in command:
        command += f" --state {folder}/{len(command)}.sqlite"
    return ["bash", "-c", f"exec {command}" if "ubscriber" in command else command]


async def test_the_commands_of_the_pages_do_what_they_say(world: World, tmp_path: Path) -> None:
    await world.publish(customer(customer_id="3f2504e0-4f89-41d3-9a0c-0305e82c3301"))
    settings = {f"TICKETING_{name}": each for name, each in world.environment.items()}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    surroundings = os.environ | settings | {"PATH": path, "NPM_CONFIG_PREFER_OFFLINE": "true"}
    shutil.copytree(ROOT / "examples" / "node", tmp_path / "node")
    ran = 0
    async with world.service():
        for block in (*blocks("publish"), *blocks("subscribe")):
            for command in block.splitlines():
                words = here(world, command, tmp_path)
                if words[-1].startswith("exec"):
                    async with reading(words, surroundings) as subscriber:
                        (fact,) = await subscriber.facts(1)
                        assert fact["type"] == OPENED
                else:
                    process = await asyncio.create_subprocess_exec(
                        *words, cwd=ROOT, env=surroundings, stdout=asyncio.subprocess.PIPE
                    )
                    printed, _ = await process.communicate()
                    assert process.returncode in ENDS.get(command, {0}), (command, printed)
                    if "examples.publisher" in command:
                        await world.until_rows("tickets")
                ran += 1
    assert ran == 7


ENDS = {"ticketing request validate examples/requests.jsonl": {1}}
"""It has lines that are not valid, to show what is said of them."""
