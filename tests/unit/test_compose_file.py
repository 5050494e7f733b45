"""docker-compose.yml and Dockerfile agree with the program that they run."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumer.settings import Settings, setting_docs
from consumer.variables import PREFIX, names_of
from devstack.containers import KAFKA_IMAGE, POSTGRES_IMAGE

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())[
    "services"
]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
ONE_SHOTS = ("migrate", "topics")


def seconds(duration: str) -> int:
    found = re.fullmatch(r"(\d+)s", duration)
    assert found, f"{duration!r} isn't whole seconds"
    return int(found[1])


def command_of(service: dict[str, Any]) -> str:
    return " ".join([*service.get("entrypoint", []), *service["command"]])


def test_every_variable_is_a_real_setting() -> None:
    known = {name for doc in setting_docs() for name in names_of(doc)}
    text = (ROOT / "docker-compose.yml").read_text() + DOCKERFILE
    used = set(re.findall(rf"\b{PREFIX}[A-Z_]+", text))
    assert f"{PREFIX}DATABASE_URL" in used
    assert used <= known


@pytest.mark.parametrize("name", OURS)
def test_the_settings_of_our_services_are_accepted(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in OURS[name]["environment"].items():
        monkeypatch.setenv(variable, value)
    settings = Settings(_env_file=None)
    assert settings.kafka_bootstrap_servers == "kafka:9092"
    assert "@postgres:5432/" in settings.database_url.get_secret_value()


def test_images_are_pinned_to_a_whole_version() -> None:
    images = {service["image"] for service in SERVICES.values()}
    images |= set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    for image in images:
        assert re.search(r":\d+\.\d+(\.\d+)?(-[a-z-]+)?$", image), image


def test_the_servers_are_those_that_the_tests_run_on() -> None:
    assert SERVICES["postgres"]["image"] == POSTGRES_IMAGE
    assert SERVICES["kafka"]["image"] == KAFKA_IMAGE


def test_the_consumer_waits_until_schema_and_topics_are_there() -> None:
    waits = SERVICES["consumer"]["depends_on"]
    for name in ONE_SHOTS:
        assert waits[name] == {"condition": "service_completed_successfully"}
        assert "restart" not in SERVICES[name]
        assert command_of(SERVICES[name]).split()[0] == name


@pytest.mark.parametrize(("name", "server"), [("migrate", "postgres"), ("topics", "kafka")])
def test_the_one_shots_wait_for_healthy_servers(name: str, server: str) -> None:
    assert SERVICES[name]["depends_on"] == {server: {"condition": "service_healthy"}}
    assert SERVICES[server]["healthcheck"]["test"]


def test_a_stop_leaves_the_consumer_time_to_finish() -> None:
    consumer = SERVICES["consumer"]
    given = consumer["environment"].get(f"{PREFIX}SHUTDOWN_SECONDS")
    shutdown = float(given) if given else Settings.model_fields["shutdown_seconds"].default
    assert seconds(consumer["stop_grace_period"]) > shutdown


def test_every_published_port_is_on_this_machine_alone() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) > 0
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_demo_is_asked_for_by_its_profile_and_its_files_exist() -> None:
    assert [name for name, service in SERVICES.items() if "profiles" in service] == ["demo"]
    demo = SERVICES["demo"]
    assert demo["profiles"] == ["demo"]
    assert "./examples:/examples:ro" in demo["volumes"]
    named = re.findall(r"/(examples/\S+)", command_of(demo))
    assert "examples/requests.jsonl" in named
    assert all((ROOT / path).is_file() for path in named)


def test_the_image_runs_the_program_without_privileges_and_watches_its_health() -> None:
    user = re.findall(r"^USER (\d+)$", DOCKERFILE, re.MULTILINE)
    assert user
    assert "0" not in user
    assert 'ENTRYPOINT ["python", "-m", "consumer"]' in DOCKERFILE
    assert re.search(r"^HEALTHCHECK .*\n.*/livez", DOCKERFILE, re.MULTILINE)


def test_the_image_holds_every_package_of_the_wheel() -> None:
    copied = set(re.findall(r"^COPY (\w+) \1$", DOCKERFILE, re.MULTILINE))
    assert copied == {"consumer", "handlers", "schemas", "db", "migrations"}
    let_through = (ROOT / ".dockerignore").read_text().splitlines()
    assert {f"!{package}/" for package in copied} <= set(let_through)
