"""Which topics we read, and what each is to us."""

import re
from collections.abc import Iterable
from typing import Protocol

from consumer.settings import Settings
from consumer.topic_entry import TopicEntry
from handlers.entries import TopicRole
from schemas.catalogue import OUTBOUND_TOPICS

DEAD_LETTER_SUFFIX = ".dlq"
BEGINNING = re.compile(r"(?P<other>\\.|\[\^?\]?(?:\\.|[^\]\\])*\])|\^")
"""The anchor ^ in a pattern; what else has a ^ in it is escaped, or a class."""


class Subscriber(Protocol):
    """What a subscription needs of the Kafka client."""

    def subscribe(
        self, topics: Iterable[str] = (), pattern: str | None = None, listener: object = None
    ) -> None: ...


class Subscription:
    """The topics of the settings. Our own outputs and dead letter topics never belong to it."""

    def __init__(self, settings: Settings) -> None:
        self._prefix = settings.topic_prefix
        self._kinds: tuple[tuple[str, tuple[TopicEntry, ...]], ...] = (
            ("customer", settings.customer_topics),
            ("partner", settings.partner_topics),
            ("change", settings.change_topics),
            ("request", settings.request_topics),
        )
        self._roles: dict[str, TopicRole | None] = {}

    def role_of(self, topic: str) -> TopicRole | None:
        """What this topic is to us; None for one that isn't ours to read."""
        if topic not in self._roles:
            self._roles[topic] = self._find_role(topic)
        return self._roles[topic]

    def _find_role(self, topic: str) -> TopicRole | None:
        if not topic.startswith(self._prefix) or topic.endswith(DEAD_LETTER_SUFFIX):
            return None
        name = topic[len(self._prefix) :]
        if name in OUTBOUND_TOPICS:
            return None
        for kind, entries in self._kinds:
            for entry in entries:
                if entry.matches(name):
                    return TopicRole(kind, entry.bound_tenant(name))
        return None

    @property
    def named(self) -> list[str]:
        """The topics that are named literally, as on the broker."""
        entries = (entry for _, kind in self._kinds for entry in kind)
        return sorted({self._prefix + entry.text for entry in entries if entry.pattern is None})

    @property
    def patterns(self) -> list[str]:
        """The patterns, as the operator wrote them: for names after the prefix."""
        entries = (entry for _, kind in self._kinds for entry in kind)
        return sorted({entry.text for entry in entries if entry.pattern is not None})

    def on_broker(self, name: str) -> str | None:
        """The topic of ours that is meant, with or without the prefix; None where there is none."""
        for topic in (name, self._prefix + name):
            if self.role_of(topic) is not None:
                return topic
        return None

    def is_party(self, topic: str) -> bool:
        """Whether customers or partners are announced here."""
        role = self.role_of(topic)
        return role is not None and role.kind in {"customer", "partner"}

    def apply(self, subscriber: Subscriber, listener: object) -> None:
        """Subscribe: by name where only names are set, else by one pattern over everything."""
        entries = [entry for _, kind in self._kinds for entry in kind]
        if all(entry.pattern is None for entry in entries):
            topics = sorted({self._prefix + entry.text for entry in entries})
            subscriber.subscribe(topics=topics, listener=listener)
        else:
            subscriber.subscribe(pattern=self._pattern(entries), listener=listener)

    def _pattern(self, entries: Iterable[TopicEntry]) -> str:
        ours = "|".join(re.escape(self._prefix + name) for name in sorted(OUTBOUND_TOPICS))
        wanted = [_alternative(entry, number, self._prefix) for number, entry in enumerate(entries)]
        never = rf"(?!.*{re.escape(DEAD_LETTER_SUFFIX)}$)(?!(?:{ours})$)"
        return f"{never}{re.escape(self._prefix)}(?:{'|'.join(wanted)})$"


def _alternative(entry: TopicEntry, number: int, prefix: str) -> str:
    """An entry as a part of a larger pattern: it begins after the prefix, its group has a name."""
    if entry.pattern is None:
        return re.escape(entry.text)
    begin = f"(?<=^{re.escape(prefix)})"
    text = BEGINNING.sub(lambda found: found["other"] or begin, entry.text)
    for used, unique in (
        ("(?P<tenant", f"(?P<tenant{number}"),
        ("(?P=tenant", f"(?P=tenant{number}"),
    ):
        text = text.replace(used, unique)
    return f"(?:{text})"
