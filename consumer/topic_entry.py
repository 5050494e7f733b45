"""One entry of a topic list: a topic's name, or a pattern that may bind topics to tenants."""

import re
from dataclasses import dataclass

LEGAL_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")
REFERENCE_BACK = re.compile(r"\(\?\(|\\[1-9]")
BETWEEN_ENTRIES = re.compile(r",(?![^{]*\})")  # a comma, but not the one inside a pattern's {1,3}


class UnusableTopicEntry(ValueError):
    """The entry {entry} {problem}."""

    def __init__(self, entry: str, problem: str) -> None:
        super().__init__(f"the entry {entry!r} {problem}")


@dataclass(frozen=True, slots=True)
class TopicEntry:
    """What an operator wrote, ready to be asked about a name (without the prefix)."""

    text: str
    pattern: re.Pattern[str] | None = None

    def matches(self, name: str) -> bool:
        """Whether `name`, the whole name after the prefix, is meant.

        A pattern that binds topics to tenants means only those that name one.
        """
        if self.pattern is None:
            return name == self.text
        found = self.pattern.fullmatch(name)
        return found is not None and found.groupdict("").get("tenant", name) != ""

    def bound_tenant(self, name: str) -> str | None:
        """Return the tenant that the pattern's group `tenant` binds `name` to, or None."""
        found = None if self.pattern is None else self.pattern.fullmatch(name)
        return None if found is None else found.groupdict().get("tenant")

    def __str__(self) -> str:
        return self.text


def parse_topic_entries(text: str) -> tuple[TopicEntry, ...]:
    """Read a comma list, dropping repeated entries; raises UnusableTopicEntry."""
    parts = (part.strip() for part in BETWEEN_ENTRIES.split(text))
    return tuple(_parse_entry(part) for part in dict.fromkeys(parts) if part)


def _parse_entry(text: str) -> TopicEntry:
    if not text.startswith("^"):
        if LEGAL_NAME.fullmatch(text) is None or text in {".", ".."}:
            raise UnusableTopicEntry(text, "is not a legal Kafka topic name")
        if text.endswith(".dlq"):
            raise UnusableTopicEntry(text, "is a dead letter topic, which is never consumed")
        return TopicEntry(text)
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise UnusableTopicEntry(text, f"is not a valid pattern ({error})") from error
    if REFERENCE_BACK.search(text):
        raise UnusableTopicEntry(text, "refers to a group by its number; give it the name 'tenant'")
    if unknown := sorted(set(pattern.groupindex) - {"tenant"}):
        raise UnusableTopicEntry(text, f"names the group {unknown[0]!r}; only 'tenant' is known")
    return TopicEntry(text, pattern)
