"""Real Kafka and PostgreSQL on this machine, for the demo, the tests and the benchmarks alike."""
