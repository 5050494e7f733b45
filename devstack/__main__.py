"""`python -m devstack`: fetch what the servers need, once, and say which servers they will be."""

import sys

from devstack import containers, machine
from devstack.choice import ServerMissing, Source, choose
from devstack.fetch import fetch_kafka


def main() -> int:
    try:
        choice = choose(machine.look())
        if choice.kafka is Source.LOCAL:
            fetch_kafka()
        images = [containers.KAFKA_IMAGE] if choice.kafka is Source.CONTAINER else []
        images += [containers.POSTGRES_IMAGE] if choice.postgres is Source.CONTAINER else []
        if images:
            containers.pull_images(*images)
    except ServerMissing as missing:
        sys.stderr.write(f"{missing}\n")
        return 1
    sys.stdout.write(f"devstack: {choice.description}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
