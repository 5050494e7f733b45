"""Workflows that open tickets with TicketingService: plain Python, Temporal and Prefect."""
