"""The version, where everything that must not import torch can read it."""

VERSION = "0.1.0"
