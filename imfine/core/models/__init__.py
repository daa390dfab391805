"""Models as things one has: which there are, whether they are safe and fit, fetched, converted, loaded."""
