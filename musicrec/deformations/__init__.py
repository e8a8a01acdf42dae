"""Deformations of audio for training and robustness reports, one per file. Each reports its change of pitch and tempo."""
