"""The wire contract: every message in and out, with the rules that its fields obey."""
