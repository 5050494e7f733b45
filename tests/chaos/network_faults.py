"""The network between the services and their servers is slow, cut, or swallows what it is given."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from devstack.proxy import Act, Proxy, Toward, Trouble, until_struck
from tests.chaos.fault import Fault
from tests.chaos.scene import Scene

Side = Literal["Kafka", "PostgreSQL"]
SIDES: Final[tuple[Side, ...]] = ("Kafka", "PostgreSQL")


def proxies_of(scene: Scene, *sides: Side) -> list[Proxy]:
    """All proxies of these sides."""
    found = list(scene.kafka_proxies) if "Kafka" in sides else []
    return [*found, scene.database_proxy] if "PostgreSQL" in sides else found


def heal(proxies: Sequence[Proxy], *, late: bool = False) -> None:
    """End all trouble."""
    for proxy in proxies:
        proxy.heal(late=late)


@dataclass(frozen=True, slots=True)
class Slow:
    """Each round trip takes 50 to 200 ms more, on both sides."""

    name: str = "latency of 50-200 ms on both sides"

    async def strike(self, scene: Scene) -> None:
        proxies = proxies_of(scene, *SIDES)
        try:
            for _ in range(4):
                for proxy in proxies:
                    proxy.delay(scene.rng.uniform(0.025, 0.1))
                await asyncio.sleep(1)
        finally:
            heal(proxies)


@dataclass(frozen=True, slots=True)
class CutOff:
    """Every connection of one side is reset after some more bytes, in the middle of a message."""

    side: Side

    @property
    def name(self) -> str:
        return f"connections to {self.side} are cut in mid-message"

    async def strike(self, scene: Scene) -> None:
        proxies = proxies_of(scene, self.side)
        try:
            for toward in (Toward.SERVER, Toward.CLIENT):
                cut = Trouble(Act.CUT, then_toward=toward, after_bytes=scene.rng.randrange(5_000))
                for proxy in proxies:
                    proxy.begin(cut)
                await until_struck(proxies)
                await asyncio.sleep(scene.rng.uniform(0.2, 1))
        finally:
            heal(proxies)


@dataclass(frozen=True, slots=True)
class BlackHole:
    """What is sent to a side, or comes from it, is taken and not passed on; then it is cut."""

    side: Side
    streams: frozenset[Toward]
    late: bool

    @property
    def name(self) -> str:
        what = "both ways" if len(self.streams) > 1 else f"toward the {next(iter(self.streams))}"
        then = "delivered late" if self.late else "then cut"
        return f"{self.side} is a black hole {what}, {then}"

    async def strike(self, scene: Scene) -> None:
        proxies = proxies_of(scene, self.side)
        try:
            for proxy in proxies:
                proxy.hold(*self.streams)
            await asyncio.sleep(scene.rng.choice(HELD_SECONDS))
        finally:
            heal(proxies, late=self.late)


HELD_SECONDS: Final = (2, 6, 12, 40)
"""A deadline of a statement (30 s) and of a round to the brokers (8 s) are among them."""

BOTH: Final = frozenset(Toward)
NETWORK_FAULTS: Final[tuple[Fault, ...]] = (
    Slow(),
    *map(CutOff, SIDES),
    BlackHole("Kafka", BOTH, late=False),
    BlackHole("Kafka", frozenset({Toward.CLIENT}), late=True),
    BlackHole("PostgreSQL", BOTH, late=False),
    BlackHole("PostgreSQL", frozenset({Toward.CLIENT}), late=True),
)
