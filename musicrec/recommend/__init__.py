"""Recommendations: a library of analysed tracks, and the search for tracks that go together."""
