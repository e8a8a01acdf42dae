"""Checks of settings, numbers with limits, and classes by name."""
