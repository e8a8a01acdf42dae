"""Playlists of other programs."""
