"""Every setting, once; the only reader of the environment and of `.env`.

Each says its meaning and its accepted form: the README's table and the refusals at start are made
from them. `Settings()` reads variables alone; `load_settings` also refuses unknown names and reads
secrets from files, and is what every command calls.
"""

import os
from typing import Any, Self

from dotenv import dotenv_values
from pydantic import (
    Field,
    FilePath,
    PositiveInt,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from consumer import setting_types as types
from consumer.topic_entry import TopicEntry
from consumer.variables import (
    PREFIX,
    SettingDoc,
    SettingsRefused,
    ours,
    problems_of,
    secrets_in_files,
    unknown_names,
)

ENV_FILE = ".env"
TOPICS_FORM = "a comma list of topic names or of patterns that start with ^"
TOPIC_LISTS = ("request_topics", "change_topics", "customer_topics", "partner_topics")


def _setting(default: object, form: str, description: str) -> Any:  # noqa: ANN401 - a field's default
    return Field(default, description=description, json_schema_extra={"form": form})


class Settings(BaseSettings):
    """What an operator can choose; a field `x` is the variable TICKETING_X."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=ENV_FILE,
        env_ignore_empty=True,  # compose files pass "" for what is not set
        extra="ignore",  # load_settings judges unknown names
        frozen=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
    )

    database_url: types.DatabaseUrl = _setting(
        SecretStr("postgresql://127.0.0.1:5432/ticketing"),
        "postgresql://user:password@host:5432/database, with libpq's parameters after ?",
        "The database, by any libpq URL (also `postgresql+asyncpg://`, several hosts, `sslmode`).",
    )
    database_pooler: bool = _setting(
        default=False,
        form="true or false",
        description="True behind PgBouncer: no statement cache, no LISTEN.",
    )
    database_pool_size: PositiveInt = _setting(
        6, "a whole number above 0", "The most connections that one process keeps open."
    )
    kafka_bootstrap_servers: types.Servers = _setting(
        "127.0.0.1:9092", "a comma list of host:port", "The brokers to begin with."
    )
    kafka_security_protocol: types.Protocol = _setting(
        types.SecurityProtocol.PLAINTEXT,
        "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",
        "How to talk to the brokers.",
    )
    kafka_sasl_mechanism: types.Mechanism = _setting(
        types.SaslMechanism.PLAIN,
        "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
        "How to log in, with a SASL protocol.",
    )
    kafka_sasl_username: str | None = _setting(None, "a user's name", "Who logs in.")
    kafka_sasl_password: SecretStr | None = _setting(None, "the user's password", "Its password.")
    kafka_ssl_cafile: FilePath | None = _setting(
        None,
        "the path of a PEM file",
        "The authorities that brokers' certificates are checked against; the system's if absent.",
    )
    kafka_ssl_certfile: FilePath | None = _setting(
        None, "the path of a PEM file", "Our certificate, where brokers ask for one."
    )
    kafka_ssl_keyfile: FilePath | None = _setting(
        None, "the path of a PEM file", "Its key, where it isn't in the same file."
    )
    kafka_ssl_key_password: SecretStr | None = _setting(
        None, "the key's password", "What unlocks the key."
    )
    kafka_client_rack: str | None = _setting(
        None, "a rack's name", "Where we are, to fetch from the nearest replica (KIP-392)."
    )
    group_id: types.GroupId = _setting(
        "isp-ticketing", "1 to 255 characters", "The consumer group that shares the topics."
    )
    topic_prefix: types.TopicPrefix = _setting(
        "", "letters, digits and . _ -", "Put before every topic's name, in and out."
    )
    request_topics: types.Topics = _setting(
        (TopicEntry("ticket.requested"),),
        TOPICS_FORM,
        "Where requests come from. A pattern must match the whole name after the prefix; its named"
        " group `tenant` binds a topic to a tenant.",
    )
    change_topics: types.Topics = _setting(
        (TopicEntry("ticket.change_requested"),),
        TOPICS_FORM,
        "Where changes to tickets come from, likewise.",
    )
    customer_topics: types.Topics = _setting(
        (TopicEntry("customer.changed"),), TOPICS_FORM, "Where customers come from, likewise."
    )
    partner_topics: types.Topics = _setting(
        (TopicEntry("partner.changed"),), TOPICS_FORM, "Where partners come from, likewise."
    )
    tenants: types.Tenants | None = _setting(
        None, "a comma list of tenant ids", "The tenants that are accepted; all if absent."
    )
    customer_check: types.CheckOfCustomers = _setting(
        types.CustomerCheck.REQUIRED,
        "required or off",
        "Whether a request's customer must be known.",
    )
    unknown_customer_grace_seconds: types.Grace = _setting(
        30.0,
        "a number from 0 to 31536000 (a year)",
        "How long a request waits for its customer before it is rejected.",
    )
    max_record_bytes: PositiveInt = _setting(
        8 * 1024 * 1024,
        "a whole number of bytes above 0",
        "Longer values become dead letters unread.",
    )
    batch_records: PositiveInt = _setting(
        2_000, "a whole number above 0", "The most records that one transaction takes."
    )
    http_host: str = _setting(
        "127.0.0.1", "a host name or an address", "Where /livez, /readyz and /metrics listen."
    )
    http_port: types.Port = _setting(
        8080, "a whole number from 0 to 65535", "Their port; 0 picks a free one and logs it."
    )
    dlq_max_ratio: types.Ratio | None = _setting(
        None,
        "a number above 0 up to 1",
        "A topic of whose records a larger share became dead letters is paused by the service; no"
        " ceiling if absent.",
    )
    dlq_window_seconds: types.Window = _setting(
        60.0,
        "a number above 0 up to 86400 (a day)",
        "Over how long that share is reckoned, once it holds 100 records.",
    )
    dlq_retention_days: types.RetentionDays | None = _setting(
        None,
        "a number of days above 0, up to 36500",
        "How long dead letters that somebody has decided about are kept; for ever if absent.",
    )
    shutdown_seconds: types.TimeToStop = _setting(
        20.0,
        "a number above 0 up to 3600 (an hour)",
        "How long a stop may take to finish what was begun.",
    )
    log_format: types.FormatOfLogs = _setting(
        types.LogFormat.JSON, "json or console", "One JSON object a line, or lines to read."
    )
    log_level: types.LevelOfLogs = _setting(
        types.LogLevel.INFO, "debug, info, warning or error", "The least important line shown."
    )

    @model_validator(mode="after")
    def _security_is_complete(self) -> Self:
        has_login = self.kafka_sasl_username is not None and self.kafka_sasl_password is not None
        protocol = self.kafka_security_protocol
        if protocol.startswith("SASL") and not has_login:
            raise _refusal(
                f"TICKETING_KAFKA_SECURITY_PROTOCOL is {protocol}, which needs a login; give"
                " TICKETING_KAFKA_SASL_USERNAME and TICKETING_KAFKA_SASL_PASSWORD."
            )
        if self.kafka_ssl_keyfile is not None and self.kafka_ssl_certfile is None:
            raise _refusal(
                "TICKETING_KAFKA_SSL_KEYFILE is given without its certificate; give"
                " TICKETING_KAFKA_SSL_CERTFILE too."
            )
        return self

    @model_validator(mode="after")
    def _a_topic_has_one_meaning(self) -> Self:
        if self.model_fields_set.isdisjoint(TOPIC_LISTS):
            return self
        from schemas.catalogue import OUTBOUND_TOPICS  # noqa: PLC0415 - heavy; only when asked

        seen: dict[str, str] = {}
        for field in TOPIC_LISTS:
            name = f"{PREFIX}{field.upper()}"
            for entry in getattr(self, field):
                if entry.text in OUTBOUND_TOPICS:
                    raise _refusal(
                        f"{name} names {entry.text!r}, which we publish ourselves; give topics that"
                        " others publish to."
                    )
                if (other := seen.setdefault(entry.text, name)) != name:
                    raise _refusal(
                        f"{name} names {entry.text!r}, as does {other}; give it to one of them."
                    )
        return self


def load_settings() -> Settings:
    """Read the environment, `.env` and the files of secrets; raises SettingsRefused."""
    docs = {doc.name: doc for doc in setting_docs()}
    given = ours(dotenv_values(ENV_FILE, interpolate=True)) | ours(os.environ)
    secrets, unreadable = secrets_in_files(given, docs.values())
    problems = unknown_names(given, docs.values()) + unreadable
    values: dict[str, Any] = {
        name.removeprefix(PREFIX).lower(): value for name, value in secrets.items()
    }
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise SettingsRefused(problems + problems_of(error, docs)) from None
    if problems:
        raise SettingsRefused(problems)
    return settings


def setting_docs() -> tuple[SettingDoc, ...]:
    """List every setting in the order of the README's table."""
    return tuple(
        SettingDoc(
            name=f"{PREFIX}{name.upper()}",
            default=_shown(field.default),
            description=field.description or "",
            form=str(extra["form"]),
            is_secret="SecretStr" in str(field.annotation),
        )
        for name, field in Settings.model_fields.items()
        if isinstance(extra := field.json_schema_extra, dict)
    )


def _shown(default: object) -> str:
    match default:
        case None:
            return ""
        case bool():
            return str(default).lower()
        case float():
            return f"{default:g}"
        case tuple():
            return ",".join(str(entry) for entry in default)
        case SecretStr():
            return default.get_secret_value()
        case _:
            return str(default)


def _refusal(sentence: str) -> PydanticCustomError:
    return PydanticCustomError("settings", "{sentence}", {"sentence": sentence})
