"""Migrations of the store, in order. A new one is a new file in versions/."""
