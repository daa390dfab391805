"""Data to train on: files of many formats to one stored form, and rows to tokens. No torch."""
