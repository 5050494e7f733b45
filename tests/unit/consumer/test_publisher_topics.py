"""Two tasks that ask for topics at one moment both get their answer."""

import asyncio
from typing import Any

from consumer.publisher import Publisher

EXISTING = frozenset({"created", "updated"})


class Client:
    """Answers as aiokafka 0.14 does: late, and only about the topics that were named last."""

    def __init__(self) -> None:
        self.topics: set[str] = set()
        self.cluster = self
        self.unauthorized_topics: set[str] = set()
        self.known: set[str] = set()
        self._answer: asyncio.Future[bool] | None = None

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return {0} if topic in self.known else None

    def set_topics(self, topics: set[str]) -> asyncio.Future[bool]:
        if not topics - self.topics:
            answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            answer.set_result(True)
        else:
            answer = self.force_metadata_update()
        self.topics = set(topics)
        return answer

    def force_metadata_update(self) -> asyncio.Future[bool]:
        if self._answer is None:
            self._answer = asyncio.get_running_loop().create_future()
        return self._answer

    def answer(self) -> None:
        self.known = self.topics & EXISTING
        if self._answer is not None:
            self._answer.set_result(True)
            self._answer = None


class Producer:
    """As much of a producer as looks topics up."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def start(self) -> None:
        """Nothing to start."""


async def test_what_others_ask_for_meanwhile_takes_no_topic_away() -> None:
    client = Client()

    def make() -> Any:  # noqa: ANN401  stands for aiokafka's producer
        return Producer(client)

    publisher = Publisher(
        make,
        may_send=lambda: None,
        on_answered=lambda: None,
        send_seconds=60.0,
        missing_seconds=5.0,
    )
    async with asyncio.TaskGroup() as group:
        asking = [
            group.create_task(publisher.topics_exist({name}))
            for name in ("created", "updated", "nowhere")
        ]
        while not all(task.done() for task in asking):
            await asyncio.sleep(0)
            client.answer()
    assert [task.result() for task in asking] == [{"created"}, {"updated"}, set()]
    client.answer()
    assert client.known == EXISTING
