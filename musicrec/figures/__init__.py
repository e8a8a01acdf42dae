"""Figures of tracks and of a model's predictions for them, and of a run."""
