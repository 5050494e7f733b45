"""Which records an operator means to replay: words of the command line, made a filter."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime

from consumer import clock
from consumer.cli.failures import WRONG_USE, CommandFailed
from consumer.cli.moments import UnusableTime, parse_time
from consumer.replay_filter import ReplayFilter, UnusableKey, key_of
from consumer.replay_plan import NotReplayable, named
from consumer.settings import Settings


@dataclass(frozen=True, slots=True)
class Choice:
    """As it was written."""

    topics: tuple[str, ...] = ()
    partition: int | None = None
    from_offset: int | None = None
    to_offset: int | None = None
    since: str | None = None
    until: str | None = None
    key: str | None = None
    request_id: str | None = None
    tenant: str | None = None

    @property
    def is_made(self) -> bool:
        return any(getattr(self, each.name) not in {None, ()} for each in fields(self))

    def understood(self, settings: Settings) -> ReplayFilter:
        """Say it in the topics' words. Raises CommandFailed."""
        self._refuse_offsets_without_a_place()
        now = clock.utc_now()
        since, until = _time("--since", self.since, now), _time("--until", self.until, now)
        if since is not None and until is not None and since >= until:
            raise CommandFailed("--since is not before --until: nothing can fit.", WRONG_USE)
        try:
            topics = named(self.topics, settings)
            if self.key is not None:
                key_of(self.key)
        except NotReplayable as error:
            raise CommandFailed(f"--topic: {error}", WRONG_USE) from None
        except UnusableKey as error:
            raise CommandFailed(f"--key: {error}", WRONG_USE) from None
        return ReplayFilter(
            topics=topics,
            partition=self.partition,
            from_offset=self.from_offset,
            to_offset=self.to_offset,
            since=since,
            until=until,
            key=self.key,
            request_id=self.request_id,
            tenant=self.tenant,
        )

    def _refuse_offsets_without_a_place(self) -> None:
        if self.from_offset is None and self.to_offset is None:
            return
        if self.partition is None or len(set(self.topics)) != 1:
            raise CommandFailed(
                "Offsets are of one partition: --from-offset and --to-offset need one --topic and"
                " --partition.",
                WRONG_USE,
            )
        if (self.to_offset or 0) < (self.from_offset or 0) and self.to_offset is not None:
            raise CommandFailed("--from-offset is behind --to-offset: nothing can fit.", WRONG_USE)


def told(wanted: ReplayFilter) -> Iterator[tuple[str, object]]:
    """The filter, for people: (name, value) of what is in it besides the topics."""
    for each in fields(wanted):
        value = getattr(wanted, each.name)
        if each.name == "topics" or value is None:
            continue
        shown = value.isoformat() if isinstance(value, datetime) else value
        yield each.name.replace("_", " "), shown


def _time(option: str, text: str | None, now: datetime) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_time(text, now)
    except UnusableTime as error:
        raise CommandFailed(f"{option}: {error}", WRONG_USE) from None
