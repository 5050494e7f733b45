"""Measurements on real servers: how fast, how much processor time, and how many statements."""
