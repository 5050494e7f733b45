"""What is measured of whom, in which order: one run of `python -m benchmarks`."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from benchmarks.broker import warm_up_broker
from benchmarks.ceiling import Ceiling, measure_ceiling
from benchmarks.fairness import Fairness, measure_fairness
from benchmarks.latency import Latency, measure_latency
from benchmarks.mixed import Mixed, measure_mixed
from benchmarks.program import (
    NAIVE,
    PRODUCT,
    TWO_WORKERS,
    Contestant,
    migrated_database,
    site,
    started,
)
from benchmarks.recovery import Recovery, measure_recovery
from benchmarks.sla import ServiceLevels, SlaSizes, measure_sla
from benchmarks.throughput import Throughput, measure_throughput, warmed_up
from benchmarks.traffic import TrafficCount, count_traffic
from devstack.databases import drop_database
from devstack.stack import Stack


@dataclass(frozen=True, slots=True)
class Sizes:
    tickets: int
    warm_up: int
    steady_seconds: int
    steady_warm_up_seconds: int
    """At each rate, before it counts: the broker compiles its code anew when the load changes."""

    rates: tuple[int, ...]
    """Requests per second of the latency runs."""

    open_tickets: int = 0
    """Before the mixed load."""

    sla: SlaSizes | None = None


FULL = {
    PRODUCT: Sizes(
        *(100_000, 5_000, 20, 20, (200, 2_000), 1_000_000),
        sla=SlaSizes(100_000, 5_000, 2, 1_000_000, 10_000, 5_000, 20),
    ),
    TWO_WORKERS: Sizes(100_000, 5_000, 20, 20, (200, 2_000)),
    NAIVE: Sizes(5_000, 500, 20, 20, (200,)),
}
QUICK = {
    PRODUCT: Sizes(
        *(2_000, 200, 2, 2, (100,), 1_000),
        sla=SlaSizes(2_000, 200, 1, 2_000, 1_000, 200, 2),
    ),
    TWO_WORKERS: Sizes(2_000, 200, 2, 2, (100,)),
    NAIVE: Sizes(200, 50, 2, 2, (20,)),
}


@dataclass(slots=True)
class Figures:
    """One contestant's; None or empty is what was not measured of it."""

    throughput: Throughput | None = None
    ceiling: Ceiling | None = None
    latencies: tuple[Latency, ...] = ()
    mixed: Mixed | None = None
    traffic: TrafficCount | None = None
    recovery: Recovery | None = None
    sla: ServiceLevels | None = None
    fairness: Fairness | None = None


MIXED_RATE = 500
"""Requests and changes per second."""

FLOODS = 3
"""How many times its backlog a flooding tenant sends: more than is worked off while we measure."""

_WARM_UP_TICKETS = 60_000
"""Twice as many go through the broker before anything counts: its compiler is busy until then."""

_Measure = Callable[[Stack, Contestant, Sizes, Figures], None]


def _throughput(stack: Stack, contestant: Contestant, sizes: Sizes, figures: Figures) -> None:
    with site(stack, contestant) as place:
        figures.throughput = measure_throughput(place, tickets=sizes.tickets, warm_up=sizes.warm_up)
        if contestant is PRODUCT:
            empty = migrated_database(stack)
            try:
                figures.ceiling = measure_ceiling(place.database_url, empty)
            finally:
                drop_database(empty)


def _latency(stack: Stack, contestant: Contestant, sizes: Sizes, figures: Figures) -> None:
    with site(stack, contestant) as place, started(place) as program:
        warmed_up(place, program, sizes.warm_up)
        figures.latencies = tuple(
            measure_latency(
                place,
                per_second=rate,
                seconds=sizes.steady_seconds,
                warm_up_seconds=sizes.steady_warm_up_seconds,
            )
            for rate in sizes.rates
        )


def _mixed(stack: Stack, contestant: Contestant, sizes: Sizes, figures: Figures) -> None:
    with site(stack, contestant) as place:
        figures.mixed = measure_mixed(
            place,
            open_tickets=sizes.open_tickets,
            records=sizes.tickets,
            warm_up=sizes.warm_up,
            per_second=min(MIXED_RATE, sizes.rates[-1]),
            steady_seconds=sizes.steady_seconds,
            steady_warm_up_seconds=sizes.steady_warm_up_seconds,
        )


def _traffic(stack: Stack, contestant: Contestant, sizes: Sizes, figures: Figures) -> None:
    with site(stack, contestant) as place:
        figures.traffic = count_traffic(place, tickets=sizes.tickets, warm_up=sizes.warm_up)


def _recovery(stack: Stack, contestant: Contestant, sizes: Sizes, figures: Figures) -> None:
    with site(stack, contestant) as place:
        figures.recovery = measure_recovery(place, tickets=sizes.tickets, warm_up=sizes.warm_up)


def _sla(stack: Stack, _: Contestant, sizes: Sizes, figures: Figures) -> None:
    if sizes.sla is not None:
        figures.sla = measure_sla(stack, sizes.sla)


def _fairness(stack: Stack, contestant: Contestant, sizes: Sizes, figures: Figures) -> None:
    with site(stack, contestant) as place:
        figures.fairness = measure_fairness(
            place,
            flood=FLOODS * sizes.tickets,
            seconds=sizes.steady_seconds,
            warm_up_seconds=sizes.steady_warm_up_seconds,
        )


_MEASURES: dict[str, _Measure] = {
    "throughput": _throughput,
    "latency": _latency,
    "mixed": _mixed,
    "traffic": _traffic,
    "recovery": _recovery,
    "sla": _sla,
    "fairness": _fairness,
}
MEASURES = tuple(_MEASURES)
_OF = {
    TWO_WORKERS: ("throughput",),
    NAIVE: ("throughput", "latency", "traffic", "recovery"),
}
"""What is measured of whom, where it is not everything: the naive program changes nothing."""

CONTESTANTS = {"product": PRODUCT, "workers": TWO_WORKERS, "naive": NAIVE}


def measure(
    stack: Stack,
    sizes: dict[Contestant, Sizes],
    *,
    measures: Collection[str],
    contestants: Collection[str],
    broker_warm_up_seconds: int,
    tell: Callable[[str], None],
) -> dict[str, Figures]:
    """The named measures of the named contestants, by the contestant's own name.

    `tell` hears what is being measured. Raises ProgramFailed or NothingMoves.
    """
    if broker_warm_up_seconds:
        tell("nothing yet: the broker warms up")
        warm_up_broker(stack.kafka.bootstrap_servers, seconds=broker_warm_up_seconds)
        with site(stack, PRODUCT) as place:
            measure_throughput(place, tickets=_WARM_UP_TICKETS, warm_up=_WARM_UP_TICKETS)
    found: dict[str, Figures] = {}
    for short_name, contestant in CONTESTANTS.items():
        if short_name not in contestants:
            continue
        figures = found[contestant.name] = Figures()
        for name, run in _MEASURES.items():
            if name in measures and name in _OF.get(contestant, MEASURES):
                tell(f"{contestant.name}: {name}")
                run(stack, contestant, sizes[contestant], figures)
    return found
