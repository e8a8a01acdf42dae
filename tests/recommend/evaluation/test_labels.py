"""Labels of a library: from its files, and from a table."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from musicrec.errors import ConfigError, ManifestError
from musicrec.heads.keys import KEYS_24
from musicrec.recommend.columns import Columns
from musicrec.recommend.evaluation.labels import library_labels, table_labels
from musicrec.recommend.evaluation.listed_tracks import playlists_of
from musicrec.recommend.library import Changes, LibraryFile, Listing, Recording, Source
from musicrec.recommend.sqlite_library import SqliteLibrary


def columns_of(count: int) -> Columns:
    texts = np.array([""] * count, dtype=object)
    numbers = np.linspace(1, 2, count)
    return Columns(
        bpm=100 * numbers,
        key=np.zeros(count),
        energy=numbers,
        loudness=-numbers,
        year=np.full(count, -1),
        duration_s=numbers,
        artist=texts,
        album=texts,
        genre=texts,
        vectors=np.zeros((count, 1)),
    )


@pytest.fixture
def tracks(make_track) -> list:
    made = [make_track(name) for name in "abc"]
    return [dataclasses.replace(made[0], artist="X", album="One", genre="house", year=1999), *made[1:]]


def test_what_files_say_and_models_answer(tracks: list):
    found = library_labels(tracks, columns_of(3), label="year")
    assert found.artist.tolist() == ["X", "", ""] and found.genre.tolist() == ["house", "", ""]
    assert found.label.tolist() == ["1999", "", ""] and found.label_name == "year"
    assert found.bpm.tolist() == [100, 150, 200] and found.sources["tempo"] == "the models"
    assert found.tags.shape == (3, 0)


def test_a_table_goes_before_files_and_models(tracks: list, tmp_path: Path):
    table = tmp_path / "labels.csv"
    table.write_text(
        "path,genre,instruments,bpm,key,mode,artist,scene\n"
        "/music/a.wav,jazz,bass|sax,120,A,minor,,north\n"
        "/music/b.wav,jazz,bass,,,,Y,\n"
        "/music/other.wav,rock,,90,C,major,Z,south\n"
    )
    found = table_labels(table, tracks, columns_of(3), label="scene")
    assert found.genre.tolist() == ["jazz", "jazz", ""]
    assert found.artist.tolist() == ["X", "Y", ""]  # the file says X, the table does not
    assert found.label.tolist() == ["north", "", ""] and found.label_name == "scene"
    assert found.bpm.tolist() == pytest.approx([120, np.nan, np.nan], nan_ok=True)
    assert found.key.tolist() == [KEYS_24.index("A minor"), -1, -1]
    assert found.tags.sum(axis=1).tolist() == [3, 2, 0]
    assert found.sources == {"tempo": "labels", "key": "labels", "energy": "the descriptor"}


def test_a_table_without_these_tracks_or_the_label_is_refused(tracks: list, tmp_path: Path):
    table = tmp_path / "labels.csv"
    table.write_text("path,genre\n/music/other.wav,jazz\n")
    with pytest.raises(ManifestError, match="has none of the tracks"):
        table_labels(table, tracks, columns_of(3))
    with pytest.raises(ManifestError, match="has no column scene"):
        table_labels(table, tracks, columns_of(3), label="scene")


def test_playlists_of_collections_playlists_and_artists(tracks: list, library: SqliteLibrary):
    recordings = [
        Recording(
            audio_hash=one.audio_hash, duration_s=60, probabilities=one.probabilities, embedding=np.zeros(4, np.float32)
        )
        for one in tracks
    ]
    files = [
        LibraryFile(path=one.path, audio_hash=one.audio_hash, size=1, mtime_ns=1, track_id=one.track_id)
        for one in tracks
    ]
    lists = [{"name": ["Sets", "Friday"], "paths": ["/music/c.wav", "/music/a.wav", "/gone.wav", "/music/c.wav"]}]
    collection = Source(place="/dj.xml", kind="collection", metadata={"playlists": lists})
    listed = [Listing(path=one.path, track_id=one.track_id) for one in tracks]
    library.save(Changes(place="/dj.xml", source=collection, recordings=recordings, files=files, listed=listed))
    playlist = Source(place="/list.m3u8", kind="playlist")
    library.save(Changes(place="/list.m3u8", source=playlist, listed=listed[1:]))
    stored, _ = library.read()
    labels = library_labels([dataclasses.replace(one, artist="X") for one in stored], columns_of(3))
    found = playlists_of(library, stored, by="sources", labels=labels)
    assert found == {"/dj.xml/Sets/Friday": [2, 0], "/list.m3u8": [1, 2]}
    assert playlists_of(library, stored, by="artist", labels=labels) == {"X": [0, 1, 2]}
    assert playlists_of(library, stored, by=None, labels=labels) == {}
    with pytest.raises(ConfigError, match=r"evaluate\.playlists=folder"):
        playlists_of(library, stored, by="folder", labels=labels)
