"""`run --workers N`: a parent that starts N plain `run` processes and answers for all of them.

It restarts nothing: the first worker to end ends the others, and its exit code is the parent's, so
that whoever supervises the parent sees it. Each worker gets a listening socket on the loopback for
its pages, and a pipe whose end tells it that the parent is gone, even by SIGKILL. Workers have a
session of their own: a Ctrl-C reaches them once, through the parent.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from prometheus_client import CONTENT_TYPE_LATEST

from consumer.http_server import Page, Pages, json_page, listen, serving
from consumer.merged_metrics import merged
from consumer.roles import Role

LOOPBACK = "127.0.0.1"
SECONDS_TO_ANSWER = 4.0
"""Below the 5 s after which our own server gives up a request."""

SECONDS_BEYOND_SHUTDOWN = 3.0
EXIT_OF_A_SIGNAL = 128
SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Worker:
    """One `run` process; port: where it serves its pages on the loopback."""

    number: int
    port: int
    process: asyncio.subprocess.Process


class Crew:
    """The workers that are running, and whether they were asked to stop already."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.workers: list[Worker] = []
        self._asked_to_stop = False

    async def start_one(self, roles: Iterable[Role]) -> None:
        """Start the next worker, with a listener whose port we know before it serves there."""
        number = len(self.workers) + 1
        chosen = [word for role in sorted(roles) for word in ("--role", role.value)]
        with listen(LOOPBACK, 0) as listener:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "consumer", "run", *chosen),
                *("--as-worker", str(number), "--listener", str(listener.fileno())),
                stdin=asyncio.subprocess.PIPE,  # never written to: its end is the message
                pass_fds=(listener.fileno(),),
                start_new_session=True,
            )
            self.workers.append(Worker(number, listener.getsockname()[1], process))
        log.info("worker.started", worker=number, pid=process.pid)

    def pass_on(self, which: signal.Signals) -> None:
        """Pass a signal on: the second one ends them at once, as it would end a plain `run`."""
        self._asked_to_stop = True
        for worker in self.workers:
            if worker.process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    worker.process.send_signal(which)

    async def end(self, seconds: float) -> None:
        """Ask all to stop, unless they were; kill who has not by its own deadline."""
        if not self._asked_to_stop:
            self.pass_on(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for worker in self.workers:
                    await worker.process.wait()
        self.pass_on(signal.SIGKILL)
        for worker in self.workers:
            await worker.process.wait()


async def run_workers(
    count: int, roles: Iterable[Role], listener: socket.socket, shutdown_seconds: float
) -> int:
    """Start `count` workers, serve for all of them; return the exit code of the first that ends."""
    crew = Crew(count)
    loop = asyncio.get_running_loop()
    for which in SIGNALS:
        loop.add_signal_handler(which, crew.pass_on, which)
    try:
        async with serving(listener, _pages(crew)):
            for _ in range(crew.size):
                await crew.start_one(roles)
            return await _until_the_first_ends(crew.workers)
    finally:
        await crew.end(shutdown_seconds + SECONDS_BEYOND_SHUTDOWN)
        for which in SIGNALS:
            loop.remove_signal_handler(which)


def follow_parent(shutdown_seconds: float) -> None:
    """In a worker: when the parent's pipe (stdin) ends, stop; in a thread, so that it always works.

    SIGHUP asks once: it never counts as the second signal that ends a process at once.
    """

    def wait_for_the_end() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        os.kill(os.getpid(), signal.SIGHUP)
        time.sleep(shutdown_seconds + SECONDS_BEYOND_SHUTDOWN)
        os._exit(1)

    threading.Thread(target=wait_for_the_end, name="follow-parent", daemon=True).start()


async def _until_the_first_ends(workers: Sequence[Worker]) -> int:
    ends = {
        asyncio.create_task(worker.process.wait(), name=f"worker-{worker.number}"): worker
        for worker in workers
    }
    done, waiting = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    first = min(done, key=lambda task: ends[task].number)
    code = first.result()
    log.info("worker.ended", worker=ends[first].number, exit_code=code)
    return EXIT_OF_A_SIGNAL - code if code < 0 else code


def _pages(crew: Crew) -> Pages:
    return {
        "/livez": partial(_joint_page, crew, "/livez", "live"),
        "/readyz": partial(_joint_page, crew, "/readyz", "ready"),
        "/metrics": partial(_metrics_page, crew),
    }


async def _joint_page(crew: Crew, path: str, claim: str) -> Page:
    """Good where every worker says so; the workers' own words are in the body."""
    answers = await _ask_all(crew, path)
    is_good = len(answers) == crew.size and all(
        answer is not None and answer.status is HTTPStatus.OK for answer in answers.values()
    )
    said = {number: _said(answer) for number, answer in answers.items()}
    problems = [
        f"worker {number}: {problem}"
        for number, document in said.items()
        for problem in document["problems"]
    ]
    document: dict[str, object] = {claim: is_good, "problems": problems, "workers": said}
    if path == "/readyz":
        document["paused"] = _paused(said.values())
    return json_page(is_good, document)


def _paused(said: Iterable[Mapping[str, Any]]) -> list[Any]:
    """Each paused topic once: all workers see the same rows, some a second later."""
    topics = {each["topic"]: each for document in said for each in document.get("paused", ())}
    return [topics[name] for name in sorted(topics)]


async def _metrics_page(crew: Crew) -> Page:
    answers = await _ask_all(crew, "/metrics")
    texts = {
        number: None if answer is None else answer.body.decode()
        for number, answer in answers.items()
    }
    return Page(HTTPStatus.OK, CONTENT_TYPE_LATEST, merged(texts))


def _said(answer: Page | None) -> Mapping[str, Any]:
    if answer is None:
        return {"problems": ["it gives no answer"]}
    document: Mapping[str, Any] = orjson.loads(answer.body)
    return document


async def _ask_all(crew: Crew, path: str) -> dict[str, Page | None]:
    answers = await asyncio.gather(*(_ask(worker.port, path) for worker in crew.workers))
    return {str(worker.number): each for worker, each in zip(crew.workers, answers, strict=True)}


async def _ask(port: int, path: str) -> Page | None:
    """Get one page of a worker; None where it gives none in time."""
    try:
        async with asyncio.timeout(SECONDS_TO_ANSWER):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
    except OSError:
        return None
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split()
    if len(words) < 2:  # noqa: PLR2004 - version and status
        return None
    return Page(HTTPStatus(int(words[1])), "", body)
