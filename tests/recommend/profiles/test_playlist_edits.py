import pytest

from musicrec.errors import ProfileError
from musicrec.recommend.profiles.playlist_edits import chosen_entries, inserted
from musicrec.recommend.profiles.records import Entry

ENTRIES = tuple(Entry(audio_hash=letter, title=letter.upper()) for letter in "aba")


def hashes(entries) -> str:
    return "".join(entry.audio_hash for entry in entries)


@pytest.mark.parametrize(("at", "expected"), [(1, "xaba"), (2, "axba"), (4, "abax")])
def test_entries_are_inserted_at_a_place(at: int, expected: str):
    assert hashes(inserted(ENTRIES, [Entry(audio_hash="x", title="X")], at=at, name="p")) == expected


def test_there_is_no_place_behind_the_one_after_the_last():
    with pytest.raises(ProfileError, match="at=5: the playlist 'p' has 3 tracks; leave it out to add last"):
        inserted(ENTRIES, [], at=5, name="p")


def test_entries_are_chosen_by_place_and_by_recording():
    chosen = chosen_entries(ENTRIES, places=[2], named={}, name="p")
    assert [(at, entry.audio_hash) for at, entry in chosen] == [(2, "b")]
    chosen = chosen_entries(ENTRIES, places=[], named={"a": "Ada"}, name="p")
    assert [at for at, _ in chosen] == [1, 3], "wherever it occurs"
    with pytest.raises(ProfileError, match="4: the playlist 'p' has the places 1 to 3"):
        chosen_entries(ENTRIES, places=[4], named={}, name="p")
    with pytest.raises(ProfileError, match="Cy: is not in the playlist 'p'"):
        chosen_entries(ENTRIES, places=[], named={"c": "Cy"}, name="p")
