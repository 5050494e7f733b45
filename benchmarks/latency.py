"""From sending a request to its `ticket.created` readable in another process, at a steady rate."""

import gc
import math
from dataclasses import dataclass

from benchmarks.load import Request, requests, send_steadily
from benchmarks.program import Site
from benchmarks.subscriber import listening

_PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds."""

    p50: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class Latency:
    per_second: int
    requests: int
    """Those that count: sent after the warm-up."""
    readable: Percentiles
    sent_late: Percentiles
    """How far the load generator was behind its own schedule: large means a busy machine."""


def percentiles(nanoseconds: list[int]) -> Percentiles:
    """The smallest value that so many per cent of all do not exceed."""
    ordered = sorted(nanoseconds)

    def at(percent: float) -> float:
        return ordered[math.ceil(percent / 100 * len(ordered)) - 1] / 1e6

    return Percentiles(at(50), at(95), at(99), at(100))


def measure(
    site: Site, sending: list[Request], *, name: str, per_second: int, warm_up_seconds: int
) -> Latency:
    """Send at this rate, and see when each is answered. The first ones don't count."""
    topics = (site.created, *([site.updated] if any(each.topic for each in sending) else []))
    with listening(site.kafka, *topics, name=name, count=len(sending)) as listener:
        gc.disable()
        try:
            sent = send_steadily(site.kafka, site.requests, sending, per_second=per_second)
        finally:
            gc.enable()
        arrived = listener.arrivals(seconds=_PATIENCE_SECONDS)
    counted = range(per_second * warm_up_seconds, len(sending))
    return Latency(
        per_second=per_second,
        requests=len(counted),
        readable=percentiles([arrived[number] - sent.sent_at[number] for number in counted]),
        sent_late=percentiles([sent.sent_at[number] - sent.due_at[number] for number in counted]),
    )


def measure_latency(site: Site, *, per_second: int, seconds: int, warm_up_seconds: int) -> Latency:
    """The site's program must be running. The first requests, at the same rate, don't count.

    Raises NothingMoves when not every fact came within a minute after the last request.
    """
    name = f"steady-{per_second}"
    sending = list(requests(name, per_second * (seconds + warm_up_seconds)))
    return measure(site, sending, name=name, per_second=per_second, warm_up_seconds=warm_up_seconds)
