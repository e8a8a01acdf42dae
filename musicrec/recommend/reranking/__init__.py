"""What is computed on a shortlist of a few hundred tracks, because a single product with a query cannot say it.

All functions take arrays with one row per track of the shortlist. `compared_vectors` turns the stored vectors of tracks
into vectors whose product is their similarity, which most of the others take.
"""
