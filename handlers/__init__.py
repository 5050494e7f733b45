"""The business: decides what a request becomes, without Kafka, commit, clock or environment."""
