"""What is kept: runs, their event log, idempotency keys. SQLite or MySQL; knows no web, queue or model."""
