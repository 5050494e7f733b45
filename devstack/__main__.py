"""`python -m devstack`: fetches what the servers need, once."""
