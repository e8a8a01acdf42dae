"""Scores of whole tracks: metrics, bootstrap intervals, calibration, comparisons, and their tables and files."""
