"""How fast the service is on this machine, what it costs, and what the naive way costs."""
