"""What is kept: runs, their event log, the names of their files, idempotency keys. SQLite or MySQL.

Knows no web, queue or model.
"""
