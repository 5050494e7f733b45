"""`python -m tests.scenarios.faulty`: the service, in a world that fails at a chosen moment.

Nothing in the product knows of it: what `compose` is given is wrapped. A fault is a sentence:

    kill before consumer.commit              SIGKILL, just before the first call
    kill after producer.send_batch #3        SIGKILL, once the third call has returned
    stop before connection.execute ~COMMIT   SIGSTOP, before the first call that mentions COMMIT
    lose consumer.getmany #3                 the broker does not answer the third call
    lose after consumer.getmany              nor could the answer to the first be read
    poison connection.copy_to_table ~this    PostgreSQL refuses each call that mentions this
    conflict connection.executemany ~this    somebody else was first, once
    error 40001 connection.execute #2        PostgreSQL answers the second call with this SQLSTATE
    error 53100 connection.execute #*        and here each call, until it is healed
    block before connection.execute ~this    the event loop stands still until it is let go
    hang consumer.getmany #3                 the call never returns, and all else goes on

connection: any of the pool's; consumer and producer: aiokafka's. `--client` gives a constant of
`consumer.clients` another value, where a scenario can't wait for the real one.

With `--obey` it listens on standard input: a line there is one more fault, an empty one heals all.
A loop that stands still goes on with the next line. `--patience` is the watchdog's, in seconds.
"""

import argparse
import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from io import FileIO
from typing import Any

import asyncpg
import structlog
import uvloop
from aiokafka.errors import KafkaConnectionError

from consumer import clients, compose, progress, watchdog
from consumer.compose import Outside, run
from consumer.http_server import listen
from consumer.logs import set_up_logs
from consumer.roles import ALL_ROLES, Role
from consumer.settings import load_settings
from consumer.watchdog import Watchdog

SENTENCE = re.compile(
    r"(?P<action>kill|stop|lose|poison|conflict|block|hang|error (?P<code>\w{5}))"
    r"(?: (?P<when>before|after))? (?P<call>\w+\.\w+)"
    r"(?: ~(?P<text>[^#]+?))?(?: #(?P<number>\d+|\*))?"
)
EACH = 0

log = structlog.get_logger()
SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


@dataclass(slots=True)
class Fault:
    """One sentence. number: which of the matching calls, or EACH; a poison is for all of them."""

    action: str
    code: str
    when: str
    call: str
    text: str
    number: int
    seen: int = 0

    @classmethod
    def parse(cls, sentence: str) -> "Fault":
        found = SENTENCE.fullmatch(sentence)
        assert found is not None, sentence
        action, code, when, call, text, number = found.groups()
        which = EACH if number == "*" else int(number or 1)
        return cls(action.split()[0], code or "", when or "before", call, text or "", which)

    async def strike(self) -> None:
        self.seen += 1
        if self.action == "poison":
            raise asyncpg.CharacterNotInRepertoireError("a value that the database can't hold")
        if self.number not in {EACH, self.seen}:
            return
        match self.action:
            case "lose":
                raise KafkaConnectionError("the broker does not answer")
            case "conflict":
                conflict = asyncpg.UniqueViolationError("somebody was first")
                conflict.table_name = "requests"
                raise conflict
            case "error":
                raise asyncpg.PostgresError.new({"C": self.code, "M": "a fault of a scenario"})
            case "block":
                next_line()
            case "hang":
                log.info("fault.struck", fault="hang")
                await asyncio.Event().wait()
            case _:
                os.kill(os.getpid(), SIGNALS[self.action])


@dataclass(slots=True)
class Faults:
    planned: list[Fault]

    @property
    def calls(self) -> set[str]:
        return {fault.call for fault in self.planned}

    def obey(self) -> None:
        """Do what the next line of standard input says."""
        match next_line():
            case "":
                asyncio.get_running_loop().remove_reader(sys.stdin)  # nobody is there any more
            case "\n":
                self.planned.clear()
            case line:
                self.planned.append(Fault.parse(line.rstrip("\n")))

    async def strike(self, when: str, call: str, said: str) -> None:
        for fault in self.planned:
            if (fault.when, fault.call) == (when, call) and fault.text in said:
                await fault.strike()


def next_line() -> str:
    """Of standard input, and nothing of what comes after it; empty at the end."""
    os.set_blocking(0, True)  # the loop, which asks whether there is one, has undone it
    return FileIO(0, closefd=False).readline().decode()


class Watched:
    """A client that does what it did, but for the calls that a fault names."""

    def __init__(self, name: str, target: Any, faults: Faults) -> None:  # noqa: ANN401  any client
        self.__dict__.update(_name=name, _target=target, _faults=faults)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever it is there
        value = getattr(self._target, name)
        call = f"{self._name}.{name}"
        return _watched(call, value, self._faults) if call in self._faults.calls else value

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._target, name, value)


def _watched(call: str, function: Callable[..., Any], faults: Faults) -> Callable[..., Any]:
    async def watched(*arguments: object, **named: object) -> object:
        said = " ".join(map(_text, (*arguments, *named.values())))
        await faults.strike("before", call, said)
        answer = await function(*arguments, **named)
        await faults.strike("after", call, said)
        return answer

    return watched


def _text(value: object) -> str:
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).decode(errors="replace")
    return str(value)


class WatchedPool(Watched):
    """A pool whose connections are watched."""

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        async with self._target.acquire() as connection:
            yield Watched("connection", connection, self._faults)


def outside(faults: Faults) -> Outside:
    """The world as it is, watched."""
    real = Outside()

    async def pool(*arguments: Any) -> WatchedPool:  # noqa: ANN401  as compose calls it
        return WatchedPool("pool", await real.pool(*arguments), faults)

    return Outside(
        pool=pool,
        connect=real.connect,
        consumer=lambda *given: Watched("consumer", real.consumer(*given), faults),
        producer=lambda *given: Watched("producer", real.producer(*given), faults),
    )


def parsed(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fault", action="append", default=[])
    parser.add_argument("--role", action="append", default=[])
    parser.add_argument("--client", action="append", default=[], metavar="CONSTANT=NUMBER")
    parser.add_argument("--obey", action="store_true")
    parser.add_argument("--patience", type=float)
    return parser.parse_args(words)


def serve(given: argparse.Namespace) -> int:
    """Be the service; the exit code."""
    for name, number in (words.split("=") for words in given.client):
        assert hasattr(clients, name)
        setattr(clients, name, int(number))
    if given.patience is not None:
        watchdog.PERIOD_SECONDS = progress.PERIOD_SECONDS = given.patience / 10
        compose.Watchdog = partial(Watchdog, patience_seconds=given.patience)  # type: ignore[attr-defined, assignment]
    settings = load_settings()
    set_up_logs(settings)
    roles = frozenset(Role(name) for name in given.role) or ALL_ROLES
    faults = Faults([Fault.parse(sentence) for sentence in given.fault])
    listener = listen(settings.http_host, settings.http_port)
    with listener, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if given.obey:
            runner.get_loop().add_reader(sys.stdin, faults.obey)
        return runner.run(run(settings, roles, listener, outside(faults)))


if __name__ == "__main__":
    sys.exit(serve(parsed()))
