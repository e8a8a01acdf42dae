"""Exports: trained models as data, and the analysis of tracks with them."""
