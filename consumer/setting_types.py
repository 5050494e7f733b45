"""The kinds of values that settings take: their words, and how what an operator wrote is read."""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode

from consumer.topic_entry import LEGAL_NAME, TopicEntry, UnusableTopicEntry, parse_topic_entries

TENANT = re.compile(r"[A-Za-z0-9._-]{1,255}")
SERVER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?")
MAX_PORT = 65535
SECONDS_OF_AN_HOUR = 3_600
SECONDS_OF_A_DAY = 86_400
DAYS_OF_A_CENTURY = 36_500
SECONDS_OF_A_YEAR = 31_536_000


class SecurityProtocol(StrEnum):
    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"


class SaslMechanism(StrEnum):
    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


class CustomerCheck(StrEnum):
    REQUIRED = "required"
    OFF = "off"


class LogFormat(StrEnum):
    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _problem(text: str) -> PydanticCustomError:
    """Make an error whose text continues the sentence "TICKETING_X ..."."""
    return PydanticCustomError("setting", "{text}", {"text": text})


def _cased(case: Callable[[str], str]) -> BeforeValidator:
    return BeforeValidator(lambda value: case(value) if isinstance(value, str) else value)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _servers(text: str) -> str:
    servers = _parts(text)
    for server in servers:
        found = SERVER.fullmatch(server)
        if found is None or int(found["port"] or 0) > MAX_PORT:
            raise _problem(f"names the server {server!r}, which is not host:port")
    if not servers:
        raise _problem("names no server")
    return ",".join(servers)


def _prefix(text: str) -> str:
    if text and LEGAL_NAME.fullmatch(text) is None:
        raise _problem(f"is {text!r}, which can't begin a Kafka topic's name")
    return text


def _topics(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return parse_topic_entries(value)
    except UnusableTopicEntry as error:
        raise _problem(f"is refused: {error}") from None


def _tenants(value: object) -> object:
    if not isinstance(value, str):
        return value
    tenants = _parts(value)
    for tenant in tenants:
        if TENANT.fullmatch(tenant) is None:
            raise _problem(f"names the tenant {tenant!r}, which no request can name")
    return frozenset(tenants)


def _database_url(secret: SecretStr) -> SecretStr:
    from db.connect import UnusableUrl, target  # noqa: PLC0415 - heavy; only when a URL is given

    try:
        target(secret.get_secret_value())
    except UnusableUrl as error:
        raise _problem(f"can't be used: {str(error).partition(': ')[2]}") from None
    return secret


DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
Servers = Annotated[str, AfterValidator(_servers)]
Protocol = Annotated[SecurityProtocol, _cased(str.upper)]
Mechanism = Annotated[SaslMechanism, _cased(str.upper)]
TopicPrefix = Annotated[str, AfterValidator(_prefix)]
Topics = Annotated[tuple[TopicEntry, ...], NoDecode, BeforeValidator(_topics)]
Tenants = Annotated[frozenset[str], NoDecode, BeforeValidator(_tenants)]
CheckOfCustomers = Annotated[CustomerCheck, _cased(str.lower)]
FormatOfLogs = Annotated[LogFormat, _cased(str.lower)]
LevelOfLogs = Annotated[LogLevel, _cased(str.lower)]
GroupId = Annotated[str, Field(min_length=1, max_length=255)]
Port = Annotated[int, Field(ge=0, le=MAX_PORT)]
Grace = Annotated[float, Field(ge=0, le=SECONDS_OF_A_YEAR)]
Ratio = Annotated[float, Field(gt=0, le=1)]
RetentionDays = Annotated[float, Field(gt=0, le=DAYS_OF_A_CENTURY)]
Window = Annotated[float, Field(gt=0, le=SECONDS_OF_A_DAY)]
TimeToStop = Annotated[float, Field(gt=0, le=SECONDS_OF_AN_HOUR)]
