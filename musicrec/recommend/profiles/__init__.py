"""Feedback of users on recordings, and what it does to a ranking.

`store.ProfileStore` keeps users, events, remembered pairs and playlists in a database. `evidence` reads the events of
one user, `taste` and `taste_ranking` turn them into a new ranking, `collaborative` adds what other users like.
Recordings are named by their audio hash, so feedback stays with a file that is moved or re-tagged.
"""
