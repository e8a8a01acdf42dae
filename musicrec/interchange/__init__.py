"""Playlists and collections of other programs, in and out.

`collection.py` is the common model. `rekordbox.py`, `traktor.py`, `m3u.py` and `table_files.py` read or write one
format each; `collection_files.py` finds the reader for a file.
"""
