"""Listeners of two tastes."""

from musicrec.recommend.profiles.records import Event
from musicrec.recommend.profiles.store import ProfileStore


def two_camps(store: ProfileStore) -> None:
    """Record twelve users who like a to e or f to j, and "me", who likes a to d."""
    for number in range(12):
        liked = "abcde" if number % 2 else "fghij"
        store.record(f"user {number}", *(Event(kind="liked", audio_hash=one) for one in liked))
    store.record("me", *(Event(kind="liked", audio_hash=one) for one in "abcd"))
