"""Text: a prompt becomes tokens, in several lanes that ride in one batch."""
