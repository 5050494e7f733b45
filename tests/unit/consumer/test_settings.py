from pathlib import Path

import pytest
from pydantic import SecretStr

from consumer.setting_types import CustomerCheck, LogFormat, LogLevel, SecurityProtocol
from consumer.settings import Settings, load_settings, setting_docs
from consumer.variables import SettingsRefused, table


@pytest.fixture(autouse=True)
def _empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither this machine's variables nor a `.env` may decide a test."""
    monkeypatch.chdir(tmp_path)
    for doc in setting_docs():
        monkeypatch.delenv(doc.name, raising=False)
        monkeypatch.delenv(f"{doc.name}_FILE", raising=False)


def refusals() -> tuple[str, ...]:
    with pytest.raises(SettingsRefused) as caught:
        load_settings()
    return caught.value.problems


def test_without_any_variable_the_defaults_of_the_contract_hold() -> None:
    settings = load_settings()

    assert settings.group_id == "isp-ticketing"
    assert settings.topic_prefix == ""
    assert [str(entry) for entry in settings.request_topics] == ["ticket.requested"]
    assert [str(entry) for entry in settings.change_topics] == ["ticket.change_requested"]
    assert [str(entry) for entry in settings.customer_topics] == ["customer.changed"]
    assert [str(entry) for entry in settings.partner_topics] == ["partner.changed"]
    assert settings.tenants is None
    assert settings.customer_check is CustomerCheck.REQUIRED
    assert settings.unknown_customer_grace_seconds == 30
    assert settings.max_record_bytes == 8 * 1024 * 1024
    assert (settings.http_host, settings.http_port) == ("127.0.0.1", 8080)
    assert settings.shutdown_seconds == 20
    assert (settings.log_format, settings.log_level) == (LogFormat.JSON, LogLevel.INFO)


def test_words_are_read_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKETING_LOG_LEVEL", "WARNING")
    monkeypatch.setenv("TICKETING_CUSTOMER_CHECK", "Off")
    monkeypatch.setenv("TICKETING_KAFKA_SECURITY_PROTOCOL", "ssl")

    settings = load_settings()

    assert settings.log_level is LogLevel.WARNING
    assert settings.customer_check is CustomerCheck.OFF
    assert settings.kafka_security_protocol is SecurityProtocol.SSL


def test_lists_are_read_from_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKETING_TENANTS", "acme, beta,")
    monkeypatch.setenv("TICKETING_KAFKA_BOOTSTRAP_SERVERS", "a:1, [::1]:2")

    settings = load_settings()

    assert settings.tenants == frozenset({"acme", "beta"})
    assert settings.kafka_bootstrap_servers == "a:1,[::1]:2"


def test_a_pattern_may_bind_a_topic_to_a_tenant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "TICKETING_REQUEST_TOPICS", r"ticket.requested,^(?P<tenant>[a-z]{1,9})\.requests"
    )

    name, pattern = load_settings().request_topics

    assert name.matches("ticket.requested")
    assert not name.matches("ticketXrequested")
    assert name.bound_tenant("ticket.requested") is None
    assert pattern.matches("acme.requests")
    assert not pattern.matches("acme.requests.dlq")
    assert pattern.bound_tenant("acme.requests") == "acme"


def test_a_variable_comes_before_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("TICKETING_GROUP_ID=file\nTICKETING_HTTP_PORT=1\nPOSTGRES_DB=x\n")
    monkeypatch.setenv("TICKETING_GROUP_ID", "variable")

    settings = load_settings()

    assert (settings.group_id, settings.http_port) == ("variable", 1)


def test_an_empty_variable_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKETING_HTTP_PORT", "")
    monkeypatch.setenv("TICKETING_NO_SUCH_SETTING", "")

    assert load_settings().http_port == 8080


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("HTTP_PORT", "abc", "is 'abc'; give a whole number from 0 to 65535."),
        ("HTTP_PORT", "65536", "is '65536'; give a whole number from 0 to 65535."),
        ("LOG_LEVEL", "loud", "is 'loud'; give debug, info, warning or error."),
        ("SHUTDOWN_SECONDS", "0", "is '0'; give a number above 0 up to 3600 (an hour)."),
        ("SHUTDOWN_SECONDS", "3601", "is '3601'; give a number above 0 up to 3600 (an hour)."),
        ("DLQ_MAX_RATIO", "1.5", "is '1.5'; give a number above 0 up to 1."),
        ("DLQ_WINDOW_SECONDS", "0", "is '0'; give a number above 0 up to 86400 (a day)."),
        (
            "UNKNOWN_CUSTOMER_GRACE_SECONDS",
            "inf",
            "is 'inf'; give a number from 0 to 31536000 (a year).",
        ),
        (
            "UNKNOWN_CUSTOMER_GRACE_SECONDS",
            "1e300",
            "is '1e300'; give a number from 0 to 31536000 (a year).",
        ),
        ("MAX_RECORD_BYTES", "8 MiB", "is '8 MiB'; give a whole number of bytes above 0."),
        ("DATABASE_POOLER", "maybe", "is 'maybe'; give true or false."),
        (
            "TENANTS",
            "acme,a b",
            "names the tenant 'a b', which no request can name; give a comma list of tenant ids.",
        ),
        (
            "KAFKA_BOOTSTRAP_SERVERS",
            "a:99999",
            "names the server 'a:99999', which is not host:port; give a comma list of host:port.",
        ),
        (
            "TOPIC_PREFIX",
            "a/b",
            "is 'a/b', which can't begin a Kafka topic's name; give letters, digits and . _ -.",
        ),
        (
            "REQUEST_TOPICS",
            "x.dlq",
            (
                "is refused: the entry 'x.dlq' is a dead letter topic, which is never consumed;"
                " give a comma list of topic names or of patterns that start with ^."
            ),
        ),
        (
            "REQUEST_TOPICS",
            "^(?P<who>x)",
            (
                "is refused: the entry '^(?P<who>x)' names the group 'who'; only 'tenant' is known;"
                " give a comma list of topic names or of patterns that start with ^."
            ),
        ),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_its_problem_and_the_accepted_form(
    name: str, value: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"TICKETING_{name}", value)

    assert refusals() == (f"TICKETING_{name} {problem}",)


@pytest.mark.parametrize("entry", ["a b", "..", "x" * 250, "ü", "^(", "^["])
def test_an_entry_that_is_no_topic_is_refused(entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKETING_CHANGE_TOPICS", entry)

    (problem,) = refusals()

    assert problem.startswith("TICKETING_CHANGE_TOPICS is refused: the entry ")


def test_an_unknown_variable_is_refused_with_the_nearest_known_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TICKETING_GRUOP_ID", "x")
    Path(".env").write_text("TICKETING_QUITE_ELSE=1\n")

    assert refusals() == (
        "TICKETING_GRUOP_ID is not a setting: did you mean TICKETING_GROUP_ID?",
        "TICKETING_QUITE_ELSE is not a setting: remove it, or see the settings in README.md.",
    )


def test_what_kubernetes_injects_and_what_tests_read_is_ignored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in (
        "TICKETING_SERVICE_HOST",
        "TICKETING_SERVICE_PORT_HTTP",
        "TICKETING_PORT",
        "TICKETING_PORT_8080_TCP_ADDR",
        "TICKETING_TEST_DATABASE_URL",
    ):
        monkeypatch.setenv(name, "tcp://10.0.0.1:8080")

    load_settings()


def test_every_problem_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKETING_NO_SUCH_SETTING", "x")
    monkeypatch.setenv("TICKETING_HTTP_PORT", "x")
    monkeypatch.setenv("TICKETING_LOG_FORMAT", "x")

    assert len(refusals()) == 3


@pytest.mark.parametrize("name", [doc.name for doc in setting_docs() if doc.is_secret])
def test_every_secret_is_read_from_a_file_too(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = "postgresql://u:hunter2@h/d"
    (tmp_path / "secret").write_text(f"{content}\n")
    monkeypatch.setenv(f"{name}_FILE", str(tmp_path / "secret"))

    found = getattr(load_settings(), name.removeprefix("TICKETING_").lower())

    assert found == SecretStr(content)


def test_a_secret_given_twice_or_in_no_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKETING_DATABASE_URL", "postgresql://h/d")
    monkeypatch.setenv("TICKETING_DATABASE_URL_FILE", "/run/secrets/url")
    monkeypatch.setenv("TICKETING_KAFKA_SASL_PASSWORD_FILE", "/no/such/file")

    assert refusals() == (
        "TICKETING_DATABASE_URL and TICKETING_DATABASE_URL_FILE are both given; give one of them.",
        (
            "TICKETING_KAFKA_SASL_PASSWORD_FILE can't be read (/no/such/file: No such file or"
            " directory); give a file's path."
        ),
    )


def test_no_refusal_shows_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_bytes(b"\xffhunter2")
    monkeypatch.setenv("TICKETING_DATABASE_URL", "mysql://user:hunter2@host/database")
    monkeypatch.setenv("TICKETING_KAFKA_SSL_KEY_PASSWORD_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("TICKETING_KAFKA_SASL_PASSWORD", "hunter2")

    problems = refusals()

    assert len(problems) == 2
    assert "hunter2" not in "".join(problems)

    monkeypatch.delenv("TICKETING_DATABASE_URL")
    monkeypatch.delenv("TICKETING_KAFKA_SSL_KEY_PASSWORD_FILE")
    assert "hunter2" not in repr(load_settings())


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ticketing:hun/ter2@db:5432/x",
        "postgresql://ticketing:hun[ter2]@db:5432/x",
        "postgresql://ticketing:hun?ter2@db/x",
        "postgresql://ticketing:hunter2@db:port/x",
        "postgresql://ticketing:hunter2@db/x?sslmode=ter2",
    ],
)
def test_an_unusable_database_url_is_refused_and_not_quoted(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICKETING_DATABASE_URL", url)

    (problem,) = refusals()

    assert problem.startswith("TICKETING_DATABASE_URL can't be used: ")
    assert "hun" not in problem
    assert "ter2" not in problem


def test_a_sasl_protocol_needs_a_login_and_a_key_its_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICKETING_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    (problem,) = refusals()
    assert "TICKETING_KAFKA_SASL_USERNAME and TICKETING_KAFKA_SASL_PASSWORD" in problem

    monkeypatch.setenv("TICKETING_KAFKA_SECURITY_PROTOCOL", "SSL")
    (tmp_path / "key").touch()
    monkeypatch.setenv("TICKETING_KAFKA_SSL_KEYFILE", str(tmp_path / "key"))
    (problem,) = refusals()
    assert "TICKETING_KAFKA_SSL_CERTFILE" in problem


def test_a_topic_has_one_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKETING_CHANGE_TOPICS", "ticket.requested")

    assert refusals() == (
        (
            "TICKETING_CHANGE_TOPICS names 'ticket.requested', as does TICKETING_REQUEST_TOPICS;"
            " give it to one of them."
        ),
    )


def test_what_we_publish_is_never_consumed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKETING_PARTNER_TOPICS", "partner.changed,ticket.created")

    (problem,) = refusals()

    assert problem.startswith(
        "TICKETING_PARTNER_TOPICS names 'ticket.created', which we publish ourselves; give "
    )


def test_the_table_tells_every_setting() -> None:
    lines = table(setting_docs()).splitlines()

    assert len(lines) == len(Settings.model_fields) + 2
    assert all(f"`TICKETING_{name.upper()}`" in "\n".join(lines) for name in Settings.model_fields)
    assert all(doc.description.endswith(".") and doc.form for doc in setting_docs())
