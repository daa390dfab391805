"""A knob that a picture model learns from two opposite prompts, without data."""
