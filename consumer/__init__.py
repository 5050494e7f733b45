"""The machine: takes records from Kafka, commits each batch once, and publishes what happened."""
