"""The business: what a request becomes. No Kafka, no commit, no clock, no environment."""
