"""Speaking to the service through Kafka: send a request or a change, wait for what it causes.

Nothing here is special to these examples: any client of Kafka can do the same.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

FACT_TOPICS: Final = ("ticket.created", "ticket.updated", "ticket.escalated", "ticket.rejected")
REJECTED: Final = "ticket.rejected"
UNSETTLED: Final = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
)
PATIENCE_SECONDS: Final = 60.0
"""How long an answer may take before something must be wrong."""


class NoAnswer(Exception):
    """The service or the broker did not answer; the message says what was waited for."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What a subscriber reads. sequence: its place in its ticket's life; a rejection has none.

    cause: the request id that brought it about, where there was one.
    """

    topic: str
    ce_type: str
    ce_id: str
    sequence: int | None
    cause: str | None
    data: Mapping[str, Any]

    @property
    def is_refusal(self) -> bool:
        return self.ce_type == REJECTED


class ServiceDesk:
    """One sender and one subscriber. kafka: host:port, several in a comma list.

    It reads what is published from now on, so make it before asking anything. Raises NoAnswer where
    the broker is away or a topic is missing.
    """

    def __init__(self, kafka: str, prefix: str = "") -> None:
        self._prefix = prefix
        common: dict[str, str | int | float | bool] = {"bootstrap.servers": kafka, "log_level": 0}
        # With acks=all and idempotence, a record that was acknowledged is there, and there once.
        self._producer = Producer(common | {"acks": "all", "enable.idempotence": True})
        self._consumer = Consumer(
            common
            | {
                "group.id": f"{prefix}workflow-example",  # required, though we join no group
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
            }
        )
        self._seen: set[str] = set()
        try:
            self._consumer.assign(list(self._ends(AdminClient(common))))
        except BaseException:
            self._consumer.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._consumer.close()

    def ask(
        self, topic: str, key: str, document: Mapping[str, Any], *, facts: int
    ) -> Sequence[Fact]:
        """Send a request or a change, and wait for that many facts, or for its refusal.

        document: with a request_id, which its facts name as their cause. The facts of one record
        are of one topic and one key, so they come in their order. Raises NoAnswer.
        """
        self.tell(topic, key, document)
        cause, answer = document["request_id"], []
        for fact in self._read():
            if fact.cause == cause:
                answer.append(fact)
                if fact.is_refusal or len(answer) == facts:
                    return answer
        came = ", ".join(fact.ce_type for fact in answer) or "nothing"
        raise NoAnswer(
            f"{cause} was to cause {facts} facts; within {PATIENCE_SECONDS:.0f} s: {came}."
        )

    def tell(self, topic: str, key: str, document: Mapping[str, Any]) -> None:
        """Send a record; returns once the broker has it."""
        failed: list[KafkaError] = []

        def note(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failed.append(error)

        value = json.dumps(document, ensure_ascii=False).encode()
        self._producer.produce(self._prefix + topic, value, key.encode(), on_delivery=note)
        if self._producer.flush(PATIENCE_SECONDS) or failed:
            reason = failed[0] if failed else "it did not answer"
            raise NoAnswer(f"The broker did not take a record for {topic}: {reason}.")

    def _read(self) -> Iterator[Fact]:
        """Facts as they come, each once, until the patience is over.

        Facts are published at least once; a repeat carries the same ce_id.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            message = self._consumer.poll(left)
            if message is None:
                return
            if (error := message.error()) is not None:
                raise NoAnswer(f"The facts can't be read: {error}.")
            fact = self._fact(message)
            if fact.ce_id not in self._seen:
                self._seen.add(fact.ce_id)
                yield fact

    def _fact(self, message: Message) -> Fact:
        pairs: Any = message.headers() or []
        headers = {name: (value or b"").decode() for name, value in pairs}
        sequence = headers.get("ce_sequence")
        return Fact(
            topic=(message.topic() or "").removeprefix(self._prefix),
            ce_type=headers["ce_type"],
            ce_id=headers["ce_id"],
            sequence=None if sequence is None else int(sequence),
            cause=headers.get("ce_causationid"),
            data=json.loads(message.value() or b"null"),
        )

    def _ends(self, admin: AdminClient) -> Iterator[TopicPartition]:
        """Where each partition of the fact topics ends now."""
        try:
            topics = admin.list_topics(timeout=PATIENCE_SECONDS).topics
            for name in (self._prefix + topic for topic in FACT_TOPICS):
                if name not in topics:
                    raise NoAnswer(f"The topic {name} is missing: run `ticketing topics` first.")
                for number in topics[name].partitions:
                    end = self._end(TopicPartition(name, number))
                    yield TopicPartition(name, number, end)
        except KafkaException as error:
            raise NoAnswer(f"The broker can't be asked: {error.args[0].str()}.") from error

    def _end(self, partition: TopicPartition) -> int:
        """Where a partition ends; of a topic that is new, as soon as a broker leads it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                _, end = self._consumer.get_watermark_offsets(partition, PATIENCE_SECONDS)
            except KafkaException as error:
                if error.args[0].code() not in UNSETTLED or time.monotonic() > deadline:
                    raise
            else:
                return int(end)
