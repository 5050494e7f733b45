"""What a tenant waits while another floods: a topic for each, one program for both."""

import time
from dataclasses import dataclass

from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from benchmarks.latency import Percentiles, percentiles
from benchmarks.load import requests_of, send, send_steadily
from benchmarks.program import Site, started
from benchmarks.subscriber import EndWatch, listening

QUIET, FLOODING = "north", "south"
FLOODED_PARTITIONS = 6
PER_SECOND = 50
BATCH_RECORDS = 2_000
"""The product's default: what a full batch is."""

BATCHES_ALLOWED = 3
PATTERN = r"TICKETING_REQUEST_TOPICS=^requests\.(?P<tenant>[a-z]+)$"
_PATIENCE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Fairness:
    """The quiet tenant's latency, alone and beside the flood, and the flood's pace meanwhile."""

    quiet: Percentiles
    flooded: Percentiles
    flood_per_second: float

    @property
    def allowed_ms(self) -> float:
        """The quiet p99 and the time that three full batches take at the flood's pace."""
        return self.quiet.p99 + BATCHES_ALLOWED * BATCH_RECORDS / self.flood_per_second * 1000


def measure_fairness(site: Site, *, flood: int, seconds: int, warm_up_seconds: int) -> Fairness:
    """The program is started here. flood: how many requests of the other tenant are in the way.

    Raises NothingMoves when not every fact of the quiet tenant came.
    """
    create_topics(site)
    with started(site, through=("env", PATTERN)):
        _latency(site, "warming", warm_up_seconds)
        quiet = _latency(site, "quiet", seconds)
        send(site.kafka, topic_of(site, FLOODING), requests_of("flood", flood, FLOODING))
        watch = EndWatch(site.kafka, site.created)
        before, began_at = sum(watch.offsets().values()), time.monotonic()
        flooded = _latency(site, "flooded", seconds)
        after, ended_at = sum(watch.offsets().values()), time.monotonic()
    return Fairness(quiet, flooded, (after - before) / (ended_at - began_at))


def topic_of(site: Site, tenant: str) -> str:
    return f"{site.prefix}requests.{tenant}"


def create_topics(site: Site) -> None:
    """One partition for the quiet tenant, several for the other."""
    wanted = [
        NewTopic(topic_of(site, QUIET), 1, 1),
        NewTopic(topic_of(site, FLOODING), FLOODED_PARTITIONS, 1),
    ]
    admin = AdminClient({"bootstrap.servers": site.kafka})
    for created in admin.create_topics(wanted).values():
        created.result()


def _latency(site: Site, name: str, seconds: int) -> Percentiles:
    sending = list(requests_of(name, PER_SECOND * seconds, QUIET))
    with listening(site.kafka, site.created, name=name, count=len(sending)) as listener:
        sent = send_steadily(site.kafka, topic_of(site, QUIET), sending, per_second=PER_SECOND)
        arrived = listener.arrivals(seconds=_PATIENCE_SECONDS)
    return percentiles([arrived[number] - sent.sent_at[number] for number in range(len(sending))])
