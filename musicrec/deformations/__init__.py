"""Deformations of audio for training and robustness reports, one per file. Each reports how pitch and tempo changed."""
