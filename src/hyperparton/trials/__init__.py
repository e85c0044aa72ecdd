"""Trials: their record, the stores that keep them, and `tries.json`."""
