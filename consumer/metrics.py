"""Every metric, once: what /metrics shows. Incremented once per batch, never per record."""

from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import generate_latest

from handlers.sla.firing import Told

SECONDS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25),
    *(0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
SIZES = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000)


class Metrics:
    """One process's metrics, in a registry of their own; made once, in compose."""

    def __init__(self) -> None:
        # Half of the lines, and nobody reads them. (The library left this one function untyped.)
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._intake()
        self._relay()
        self._waiting()

    def _intake(self) -> None:
        self.records = self._counter(
            "records", "Records by what became of them.", "topic", "outcome"
        )
        self.rejections = self._counter("rejections", "Requests refused, by rule.", "code")
        self.dead_letters = self._counter(
            "dead_letters", "Records that could not be handled, by cause.", "topic", "error_class"
        )
        self.unknown_fields = self._counter(
            "unknown_fields", "Fields that no contract knows, ignored.", "topic"
        )
        self.differing_duplicates = self._counter(
            "differing_duplicates", "Duplicates whose content was another.", "topic"
        )
        self.lost_positions = self._counter(
            "lost_positions", "Partitions whose committed offset was no longer stored.", "topic"
        )
        self.bisections = self._counter("bisections", "Batches halved to find a bad record.")
        self.rebalances = self._counter("rebalances", "Assignments of partitions to us.")
        self.batch_records = self._histogram(
            "batch_records", "Records in one transaction.", buckets=SIZES
        )
        self.step_seconds = self._histogram(
            "batch_step_seconds", "Time of each step of a batch.", "step"
        )
        self.topics_paused = self._gauge(
            "topics_paused", "1 for a topic whose records wait until somebody resumes it.", "topic"
        )
        self.lag_records = self._gauge(
            "lag_records", "Records not yet decided.", "topic", "partition"
        )
        self.lag_seconds = self._gauge(
            "lag_seconds", "Age of the oldest record not yet decided.", "topic", "partition"
        )

    def _relay(self) -> None:
        self.relay_rounds = self._counter("relay_rounds", "Rounds that published something.")
        self.facts_published = self._counter("facts_published", "Facts acknowledged.", "topic")
        self.dead_letters_removed = self._counter(
            "dead_letters_removed", "Dead letters that were over, removed for their age."
        )
        self.dead_letters_published = self._counter(
            "dead_letters_published", "Dead letters acknowledged.", "topic"
        )
        self.publish_failures = self._counter(
            "publish_failures", "Sends that were not acknowledged.", "cause"
        )
        self.publish_seconds = self._histogram(
            "publish_seconds", "From the beginning of a write until its facts were acknowledged."
        )
        self.lease_changes = self._counter("lease_changes", "Leases taken and lost.", "change")
        self.lease_held = self._gauge("lease_held", "1 where this process publishes.")
        self.outbox_rows = self._gauge("outbox_rows", "Writes whose facts wait to be published.")
        self.outbox_oldest_seconds = self._gauge("outbox_oldest_seconds", "Age of the oldest one.")
        self.held_facts = self._gauge("held_facts", "Facts that the broker refused, and followers.")

    def _waiting(self) -> None:
        self.parked_requests = self._gauge(
            "parked_requests", "Requests that wait for their customer."
        )
        self.tickets_closed = self._counter(
            "tickets_closed", "Resolved tickets closed because their tenant's days were over."
        )
        self.sla_facts = self._counter(
            "sla_facts", "Facts that time alone brought about on tickets' clocks.", "type"
        )
        self.sla_detection_seconds = self._histogram(
            "sla_detection_seconds", "From when a clock was due until that was noticed.", "type"
        )
        self.clocks_unfit = self._counter(
            "clocks_unfit", "Times that a ticket's clocks could not be dealt with."
        )
        self.policies_unreadable = self._gauge(
            "policies_unreadable", "Tenants whose newest policy this program can't understand."
        )
        self.dependency_up = self._gauge(
            "dependency_up", "1 where it answers, 0 where it doesn't.", "dependency"
        )
        self.retries = self._counter(
            "retries", "Attempts repeated because a dependency was down.", "dependency"
        )
        self.loop_stalls = self._counter("event_loop_stalls", "Times the event loop stood still.")

    def told(self, told: Iterable[Told]) -> None:
        """Count facts of clocks, and how late they were noticed."""
        for each in told:
            self.sla_facts.labels(each.ce_type).inc()
            self.sla_detection_seconds.labels(each.ce_type).observe(each.late.total_seconds())

    def forget_partition(self, topic: str, partition: int) -> None:
        """Drop the lag of a partition that another member reads now."""
        for gauge in (self.lag_records, self.lag_seconds):
            gauge.remove_by_labels({"topic": topic, "partition": str(partition)})

    def rendered(self) -> bytes:
        """Return the text that Prometheus scrapes."""
        return generate_latest(self.registry)

    def _counter(self, name: str, description: str, *labels: str) -> Counter:
        return Counter(name, description, labels, namespace="ticketing", registry=self.registry)

    def _gauge(self, name: str, description: str, *labels: str) -> Gauge:
        return Gauge(name, description, labels, namespace="ticketing", registry=self.registry)

    def _histogram(
        self, name: str, description: str, *labels: str, buckets: tuple[float, ...] = SECONDS
    ) -> Histogram:
        return Histogram(
            name,
            description,
            labels,
            namespace="ticketing",
            registry=self.registry,
            buckets=buckets,
        )
