"""Logs: one structured line an event on stderr, ours and the libraries' alike, without secrets."""

import json
import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson
import structlog
from structlog.typing import Processor

from consumer import clock
from consumer.setting_types import LogFormat
from consumer.settings import Settings

MASK = "***"
SHORTEST_SECRET = 4
"""A shorter one would mask ordinary words and tell more than it hides."""

LOGIN_IN_URL = re.compile(r"(?<=://)([^\s/@:]*):[^\s@]+@")
SECONDS_BETWEEN_REPEATS = 10.0
MOST_REMEMBERED = 500

EventDict = MutableMapping[str, Any]


def set_up_logs(settings: Settings) -> None:
    """Send every line, also those of aiokafka, asyncpg and asyncio, to stderr in one format."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        masking(secrets_of(settings)),
    ]
    renderer = _renderer(settings.log_format)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RepeatFilter(clock.seconds))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    is_debug = level == logging.DEBUG
    logging.basicConfig(handlers=[handler], level=max(level, logging.INFO), force=True)
    logging.captureWarnings(capture=True)
    for name in ("aiokafka", "asyncpg", "asyncio"):
        logging.getLogger(name).setLevel(logging.INFO if is_debug else max(level, logging.WARNING))


def secrets_of(settings: Settings) -> frozenset[str]:
    """List what must not be shown, as given and as a URL would write it."""
    login = urlsplit(settings.database_url.get_secret_value()).netloc.rpartition("@")[0]
    password = login.partition(":")[2]
    texts = {password, unquote(password)}
    for secret in (settings.kafka_sasl_password, settings.kafka_ssl_key_password):
        texts.add("" if secret is None else secret.get_secret_value())
    return frozenset(text for text in texts if len(text) >= SHORTEST_SECRET)


def masking(secrets: frozenset[str]) -> Processor:
    """Make the step that masks these secrets, and the login in any URL."""
    known = re.compile("|".join(re.escape(each) for each in sorted(secrets, key=len, reverse=True)))

    def masked(text: str) -> str:
        text = LOGIN_IN_URL.sub(rf"\1:{MASK}@", text)
        return known.sub(MASK, text) if secrets else text

    def mask(_: object, __: str, event: EventDict) -> EventDict:
        for name, value in event.items():
            event[name] = _mask_value(value, masked)
        return event

    return mask


class RepeatFilter(logging.Filter):
    """Pass the same complaint of a library once in ten seconds, with the number left out.

    aiokafka says "Unable connect to node" ten times a second while a broker is away.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        super().__init__()
        self._seconds = seconds
        self._shown_at: dict[tuple[str, str], float] = {}
        self._left_out: dict[tuple[str, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        key = (record.name, str(record.msg)[:200])
        now = self._seconds()
        if now - self._shown_at.get(key, -SECONDS_BETWEEN_REPEATS) < SECONDS_BETWEEN_REPEATS:
            self._left_out[key] = self._left_out.get(key, 0) + 1
            return False
        if len(self._shown_at) >= MOST_REMEMBERED:
            self._shown_at.clear()
            self._left_out.clear()
        self._shown_at[key] = now
        if left_out := self._left_out.pop(key, 0):
            record.msg = f"{record.getMessage()} (and {left_out} times more)"
            record.args = None
        return True


def _mask_value(value: object, masked: Callable[[str], str]) -> object:
    match value:
        case str():
            return masked(value)
        case dict():
            return {name: _mask_value(each, masked) for name, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_mask_value(each, masked) for each in value]
        case bool() | int() | float() | None:
            return value
        case _:
            return masked(str(value))


def _renderer(log_format: LogFormat) -> Processor:
    match log_format:
        case LogFormat.JSON:
            return structlog.processors.JSONRenderer(serializer=_json)
        case LogFormat.CONSOLE:
            return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())


def _json(event: EventDict, **_: object) -> str:
    """Put first what is read first; a log line must never be the reason of a failure."""
    first = {name: event[name] for name in ("timestamp", "level", "event") if name in event}
    line = first | dict(event)
    try:
        return orjson.dumps(line, default=repr).decode()
    except TypeError:  # a lone surrogate, or an integer beyond 64 bits
        return json.dumps(line, default=repr)
