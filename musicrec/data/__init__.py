"""Manifests, splits, the waveform store, mixtures, and the DataModule."""
