"""The schema's history: Alembic migrations, which import nothing of ours."""
