"""How far each of our partitions is behind, in records and in seconds, for the metrics."""

from collections.abc import Mapping
from typing import Any

from aiokafka import TopicPartition

from consumer import clock
from consumer.lanes import Lanes
from consumer.metrics import Metrics
from consumer.pauses import Pauses


class Lag:
    """What this process knows of it.

    Of a partition that is not fetched the client learns no end: it is told from outside.
    """

    def __init__(
        self,
        consumer: Any,  # noqa: ANN401  aiokafka's consumer, or one that wraps it
        lanes: Lanes,
        pauses: Pauses,
        metrics: Metrics,
    ) -> None:
        self._consumer = consumer
        self._lanes = lanes
        self._pauses = pauses
        self._metrics = metrics
        self._positions: Mapping[TopicPartition, int] = {}
        self._ends: Mapping[TopicPartition, int] = {}

    def note(
        self, positions: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
    ) -> None:
        """Keep what Kafka said where we stand and where the partitions end."""
        self._positions, self._ends = positions, ends

    def measure(self) -> None:
        """Set the lag of each partition: records, and the age of the oldest without an outcome."""
        now_ms = clock.utc_now().timestamp() * 1000
        for partition in self._consumer.assignment():
            labels = (partition.topic, str(partition.partition))
            oldest = self._lanes.oldest(partition)
            if oldest is not None:
                end = max(self._consumer.highwater(partition) or 0, self._ends.get(partition, 0))
                self._metrics.lag_records.labels(*labels).set(max(end - oldest.offset, 0))
                age = max(now_ms - oldest.timestamp, 0) / 1000
                self._metrics.lag_seconds.labels(*labels).set(age)
                continue
            records = self._unread(partition)
            self._metrics.lag_records.labels(*labels).set(records)
            if records:  # of an age that nobody knows
                names = {"topic": labels[0], "partition": labels[1]}
                self._metrics.lag_seconds.remove_by_labels(names)
            else:
                self._metrics.lag_seconds.labels(*labels).set(0)

    def _unread(self, partition: TopicPartition) -> int:
        """Records that are not here: there are some to tell of only where none is fetched."""
        if not self._pauses.is_paused(partition.topic):
            return 0
        return max(self._ends.get(partition, 0) - self._positions.get(partition, 0), 0)
