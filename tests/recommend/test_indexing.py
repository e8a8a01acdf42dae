"""Indexing with a stand-in for the models, which counts its calls."""

import dataclasses
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import mutagen
import numpy as np
import polars as pl
import pytest
import soundfile
from mutagen.id3 import TIT2, TKEY, TPE1

from musicrec.audio.decode import decode_track
from musicrec.audio.file_tags import read_tags
from musicrec.audio.remark import Remark
from musicrec.data.manifest import write_manifest
from musicrec.errors import ConfigError, ManifestError, PlaylistError
from musicrec.interchange.collection import Collection, CollectionPlaylist, CollectionTrack
from musicrec.interchange.traktor import write_traktor
from musicrec.recommend import indexing, music_source
from musicrec.recommend.index_report import IndexReport
from musicrec.recommend.report_texts import index_text
from musicrec.recommend.sqlite_library import SqliteLibrary
from musicrec.recommend.track import audio_hash
from musicrec.system.progress import Step
from tests.counting_analyzer import RATE, SILENT, CountingAnalyzer


def test_each_file_gets_its_own_answer(run, library: SqliteLibrary, music: Path):
    done, calls = run(music)
    assert (done.added, done.unchanged, calls) == (6, 0, 6)
    assert done.audio_s == pytest.approx(1.5)
    assert [t.track_id for t in library.read()[0]] == ["loud/4", "loud/5", "soft/0", "soft/1", "soft/2", "soft/3"]
    assert library.read()[1]["embedding"][:, 0] == pytest.approx([0.5, 0.6, 0.1, 0.2, 0.3, 0.4], abs=1e-3)
    assert len({track.audio_hash for track in library.read()[0]}) == 6


def test_a_second_run_handles_only_new_changed_and_removed_files(run, library: SqliteLibrary, music: Path):
    run(music)
    assert run(music)[1] == 0
    (music / "soft" / "0.wav").unlink()
    shutil.copy(music / "loud" / "5.wav", music / "soft" / "1.wav")
    os.utime(music / "soft" / "2.wav", ns=(1, 1))
    shutil.copy(music / "loud" / "5.wav", music / "new.wav")
    done, calls = run(music)
    assert (done.copies, done.changed, done.unchanged, done.missing, calls) == (2, 0, 4, 1, 0)
    by_id = {file.track_id: file for file in library.files()}
    assert set(by_id) == {"new", "soft/0", "soft/1", "soft/2", "soft/3", "loud/4", "loud/5"}
    assert by_id["soft/1"].audio_hash == by_id["loud/5"].audio_hash == by_id["new"].audio_hash
    tracks = library.read()[0]
    assert [track.track_id for track in tracks] == ["loud/4", "loud/5", "soft/2", "soft/3"], "copies are one track"
    (track,) = library.find(track_id="soft/1")
    assert track.embedding[0] == pytest.approx(0.6, abs=1e-3)


def test_unreadable_files_are_reported_and_the_others_analysed(run, library: SqliteLibrary, music: Path):
    run(music)
    (music / "soft" / "0.wav").write_text("no longer audio")
    (music / "empty.wav").touch()
    done, _ = run(music)
    assert {Path(path).name: reason.split(": ")[-1][:8] for path, reason in done.unreadable}.keys() == {
        "0.wav",
        "empty.wav",
    }
    assert all(str(music) in reason for _, reason in done.unreadable)
    assert (done.unchanged, len(library)) == (5, 5), "the answers for the earlier content of the file do not count"


def test_remarks_are_kept_with_the_track(run, library: SqliteLibrary, music: Path):
    path = music / "silence.wav"
    soundfile.write(path, np.zeros(RATE), RATE)
    for calls in (7, 0):  # the second time from the library
        done, called = run(music)
        assert (called, done.remarked) == (calls, [(str(path), (SILENT,))])
        printed = index_text(done, library=library.path).plain
        assert f"remark  {path}: the audio is silent" in printed
        assert "1 with a remark on their audio, 1 of them silent or very short: by default not recommended" in printed
    soundfile.write(path, np.full(RATE, 0.5), RATE)
    assert run(music)[0].remarked == []
    assert not any(track.remarks for track in library.read()[0])


def test_remarks_of_a_kind_are_one_line():
    def short(length_s: float) -> tuple[Remark, ...]:
        return (Remark(f"the audio lasts {length_s} s, but the models need 3.00 s", unreliable=True),)

    report = IndexReport(remarked=[(f"/m/{i}.wav", short(i / 4)) for i in range(14)] + [("/m/x.wav", (SILENT,))])
    first, second, *_ = index_text(report, library="l").plain.splitlines()
    assert first == (
        "remark  /m/0.wav: the audio lasts 0.0 s, but the models need 3.00 s; and likewise 13 other files: /m/1.wav, "
        "/m/2.wav and 11 more"
    )
    assert second.startswith("remark  /m/x.wav: the audio is silent")
    report.remarked = report.remarked[:3]
    assert "likewise 2 other files: /m/1.wav, /m/2.wav\n" in index_text(report, library="l").plain


def test_a_track_with_an_inverted_channel_is_indexed_by_one_channel_with_a_remark(run, library: SqliteLibrary, music):
    path = music / "inverted.wav"
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    soundfile.write(path, np.stack([tone, -tone], axis=1), RATE)
    done, _ = run(music)
    ((named, (remark,)),) = done.remarked
    assert named == str(path) and "one channel is the inverse of the other" in remark.text and not remark.unreliable
    (track,) = [track for track in library.read()[0] if track.path == str(path)]
    assert track.embedding[0] == pytest.approx(0.5, abs=1e-3) and track.remarks == (remark,)


def test_tracks_that_nobody_could_look_for_stay(run, library, music: Path, tmp_path: Path, monkeypatch):
    """A folder that cannot be opened and a link to a disk that is not there are not the end of their tracks."""
    shutil.move(music / "loud", tmp_path / "disk")
    (music / "disk").symlink_to(tmp_path / "disk")
    run(music)
    look = os.scandir

    def scandir(path: Path) -> object:  # the tests may run as root, whom no permission stops
        if Path(path).name == "soft":
            raise PermissionError(13, "Permission denied")
        return look(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", scandir)
        done, calls = run(music)
    assert (done.kept, done.missing, calls, len(library)) == (4, 0, 0, 6)
    printed = index_text(done, library=library.path).plain
    assert "left out 1 path: soft (cannot be opened: Permission denied)" in printed
    assert "6 tracks (2 unchanged, 4 kept, as nobody could look)" in printed
    (tmp_path / "disk").rename(tmp_path / "ejected")
    done, _ = run(music)
    assert (done.kept, done.missing, len(library)) == (2, 0, 6)
    (music / "disk").unlink()
    assert run(music)[0].missing == 2 and len(library) == 4


def test_a_playlist_names_the_tracks(run, library: SqliteLibrary, music: Path):
    tags = mutagen.File(music / "soft" / "3.wav")
    tags.add_tags()
    tags.tags.add(TIT2(text=["Three"]))
    tags.save()
    playlist = music / "mine.m3u8"
    playlist.write_text(
        "#EXTM3U\n#EXTINF:1,Ada - Zero\nsoft/0.wav\n#EXTINF:1,Bo - Other\nsoft/3.wav\nloud/4.wav\ngone.mp3\n"
    )
    for calls in (3, 0):  # the second time from the library
        done, called = run(playlist)
        assert (called, len(library)) == (calls, 3)
        named = [(track.track_id, track.artist, track.title) for track in library.read()[0]]
        assert named == [("loud/4", None, None), ("soft/0", "Ada", "Zero"), ("soft/3", "Bo", "Three")]
        assert {track.source for track in library.read()[0]} == {str(playlist)}
        printed = index_text(done, library=library.path).plain
        assert "left out 1 entry of the playlist without a file: gone.mp3" in printed
    (music / "soft" / "0.wav").unlink()
    done, _ = run(playlist)
    assert (done.missing, done.unlisted) == (1, 0), "the playlist still lists it"
    playlist.write_text("soft/3.wav\n")
    done, _ = run(playlist)
    assert (done.missing, done.unlisted) == (1, 1) and [track.title for track in library.read()[0]] == ["Three"]


def test_a_listener_is_told_each_file_and_may_end_it(run, library: SqliteLibrary, music: Path):
    (music / "bad.wav").write_text("not audio")
    steps: list[Step] = []

    def listen(step: Step) -> None:
        steps.append(step)
        if step.done == 4:
            raise KeyboardInterrupt

    done, _ = run(music, progress=listen)
    assert done.interrupted and len(library) == 3
    assert [(step.doing, step.done, step.total) for step in steps] == [("analysing", done, 7) for done in range(5)]
    assert steps[1].name == str(music / "bad.wav") and "not audio" in steps[1].problem
    assert [step.problem for step in steps[2:]] == [None] * 3


def test_an_interrupted_run_keeps_its_results_and_continues(run, library: SqliteLibrary, music: Path):
    done, _ = run(music, stop_after=4)
    assert done.interrupted and len(library) == 4
    done, calls = run(music)
    assert not done.interrupted and (calls, len(library)) == (2, 6)


def test_several_sources_are_kept_apart(run, library: SqliteLibrary, music: Path, tmp_path: Path):
    other = tmp_path / "other"
    shutil.copytree(music / "loud", other)
    run(music)
    done, calls = run(other)
    assert (done.copies, calls, len(library), len(library.files())) == (2, 0, 6, 8)
    (other / "4.wav").unlink()
    assert run(other)[0].missing == 1 and len(library) == 6
    shutil.rmtree(music / "loud")
    assert run(music)[0].missing == 2
    assert [track.track_id for track in library.read()[0]] == ["soft/0", "soft/1", "soft/2", "soft/3", "5"]


def test_a_manifest_gives_titles_without_a_new_analysis(run, library: SqliteLibrary, music: Path, tmp_path: Path):
    run(music)
    rows = {"track_id": ["x"], "path": [str(music / "soft" / "3.wav")], "title": ["Three"], "artist": ["Sine"]}
    write_manifest(pl.DataFrame(rows), tmp_path / "m.csv")
    done, calls = run(tmp_path / "m.csv")
    assert (done.unchanged, calls) == (1, 0)
    track = library.read()[0][-1]
    assert (track.track_id, track.title, track.artist) == ("x", "Three", "Sine")


def test_a_folder_takes_titles_from_the_tags(run, library: SqliteLibrary, music: Path):
    tags = mutagen.File(music / "soft" / "3.wav")
    tags.add_tags()
    tags.tags.add(TIT2(text=["Three"]))
    tags.tags.add(TPE1(text=["Sine"]))
    tags.save()
    for calls in (6, 0):  # the second time from the library
        assert run(music)[1] == calls
        assert [(t.title, t.artist) for t in library.read()[0]] == [(None, None)] * 5 + [("Three", "Sine")]


def test_tags_that_cannot_be_read_are_named(run, library: SqliteLibrary, music: Path, caplog):
    tags = mutagen.File(music / "soft" / "3.wav")
    tags.add_tags()
    tags.tags.add(TIT2(text=["Three"]))
    tags.tags.add(TKEY(text=["X"]))
    tags.save()
    run(music)
    assert f"1 file with tags that cannot be understood: {music / 'soft' / '3.wav'}: key 'X'" in caplog.text
    assert library.read()[0][-1].title == "Three"


def test_a_file_that_cannot_be_decoded_is_reported_once(run, music: Path, caplog):
    (music / "soft" / "3.wav").write_bytes(b"RIFF\x10\x00\x00\x00WAVEfmt ")  # the header breaks off
    assert read_tags([str(music / "soft" / "3.wav")])["problem"][0]
    done, _ = run(music)
    assert [path for path, _ in done.unreadable] == [str(music / "soft" / "3.wav")] and not caplog.text


def test_a_limit_removes_nothing(run, library: SqliteLibrary, music: Path):
    run(music)
    done, _ = run(music, max_files=2)
    assert (done.unchanged, done.missing, len(library)) == (2, 0, 6)


def test_copies_in_another_format_have_the_same_audio_hash(music: Path, tmp_path: Path):
    path = music / "loud" / "5.wav"
    samples, rate = soundfile.read(path, dtype="int16")
    soundfile.write(tmp_path / "copy.flac", samples, rate)
    first, second = (decode_track(p, sample_rate=RATE).waveform for p in (path, tmp_path / "copy.flac"))
    assert audio_hash(first) == audio_hash(second)
    assert audio_hash(first[:-1]) != audio_hash(first)


def test_wrong_sources_are_refused(music: Path, tmp_path: Path):
    (tmp_path / "bare").mkdir()
    with pytest.raises(ManifestError, match="no audio file below it"):
        music_source.read_source(tmp_path / "bare")
    with pytest.raises(ManifestError, match="there is no such folder, playlist, collection or manifest"):
        music_source.read_source(tmp_path / "absent")
    with pytest.raises(ConfigError, match="is an audio file"):
        music_source.read_source(music / "loud" / "5.wav")


def test_splits_of_a_manifest(music: Path):
    manifest = music / "manifest.csv"
    manifest.write_text(
        "track_id,path,split\na,loud/4.wav,test\nb,loud/5.wav,train\nc,soft/0.wav,\nd,soft/1.wav,test\n"
    )
    source = music_source.read_source(manifest)
    for splits, expected in [([], "abcd"), (["test"], "ad"), (["train", "test"], "abd")]:
        assert music_source.of_splits(source, splits)["track_id"].to_list() == list(expected)
    with pytest.raises(ConfigError, match="no track of valid, only test, train"):
        music_source.of_splits(source, ["test", "valid"])
    with pytest.raises(ConfigError, match="music has none; give a manifest"):
        music_source.of_splits(music_source.read_source(music), ["test"])


def test_a_split_leaves_the_other_splits_in_the_library(run, library: SqliteLibrary, music: Path):
    manifest = music / "manifest.csv"
    manifest.write_text("track_id,path,split\na,loud/4.wav,test\nb,loud/5.wav,train\nc,soft/0.wav,\n")
    run(manifest)
    done, _ = run(manifest, splits=["test"])
    assert (done.unchanged, done.missing, done.unlisted) == (1, 0, 0)
    assert {track.track_id for track in library.read()[0]} == {"a", "b", "c"}
    manifest.write_text("track_id,path,split\na,loud/4.wav,test\nc,soft/0.wav,\n")
    done, _ = run(manifest, splits=["test"])
    assert done.unlisted == 1 and {track.track_id for track in library.read()[0]} == {"a", "c"}


def test_a_file_in_several_rows_of_a_manifest_is_one_track(run, library: SqliteLibrary, music: Path):
    manifest = music / "manifest.csv"
    manifest.write_text("track_id,path\na,loud/4.wav\nb,loud/4.wav\nc,soft/0.wav\n")
    for _ in range(2):
        done, _ = run(manifest)
        assert done.left_out == [("1 row of the manifest (an earlier row names the same file)", ["b"])]
        assert done.added + done.unchanged == 2 and {track.track_id for track in library.read()[0]} == {"a", "c"}


def test_a_collection_names_its_tracks(music: Path, run: Callable, library: SqliteLibrary, tmp_path: Path):
    """Traktor on another computer: the folder is elsewhere here, and one file is missing."""
    paths = [*(f"C:/Users/dj/Music/soft/{i}.wav" for i in range(3)), "C:/Users/dj/Music/gone.mp3", ""]
    tracks = tuple(
        CollectionTrack(path=path, artist=f"Artist {i}", title=f"Title {i}" if i else None, key="Am", rating=4)
        for i, path in enumerate(paths)
    )
    playlists = (CollectionPlaylist(name="Set", tracks=(2, 0)),)
    place = write_traktor(tmp_path / "my.nml", Collection(tracks=tracks, playlists=playlists))
    with pytest.raises(
        PlaylistError, match=r"none of the 4 files of the collection exists here: C:/.*give --relocate OLD"
    ):
        music_source.read_source(place)

    source = music_source.read_source(place, relocate={"C:/Users/dj/Music": str(music)})
    assert source.frame["path"].to_list() == [str(music / "soft" / f"{i}.wav") for i in range(3)]
    assert source.collection.tracks[1].key == "Am" and source.collection.tracks[1].rating == 4
    assert [it.tracks for _, it in source.collection.every_playlist()] == [(2, 0)]
    done = indexing.index(library, CountingAnalyzer(library.heads), source, progress=False)
    assert done.added == 3
    assert {(track.artist, track.title) for track in library.read()[0]} == {
        *(("Artist 0", None), ("Artist 1", "Title 1"), ("Artist 2", "Title 2")),
    }
    assert [names for _, names in done.left_out] == [[f"{music}/gone.mp3"], ["Artist 4 - Title 4"]]
    text = index_text(done, library=tmp_path / "my.sqlite").plain
    assert "1 track of the collection without a file here" in text and "1 track of a streaming service" in text

    # A new title in the collection is taken over without analysing again; a file that is lost for now stays.
    (music / "soft" / "2.wav").rename(tmp_path / "away.wav")
    tracks = (dataclasses.replace(tracks[0], title="New"), *tracks[1:])
    write_traktor(place, Collection(tracks=tracks), replace=True)
    source = music_source.read_source(place, relocate={"C:/Users/dj/Music": str(music)})
    done = indexing.index(library, CountingAnalyzer(library.heads), source, progress=False)
    assert (done.added, done.changed, done.unchanged, done.missing, done.kept) == (0, 0, 2, 1, 0)
    assert "New" in {track.title for track in library.read()[0]}


def test_a_collection_without_files(tmp_path: Path):
    for tracks, said in (
        ((), "has no track with a file"),
        ((CollectionTrack(path="/a"),), "the only file of the collec"),
    ):
        place = write_traktor(tmp_path / "my.nml", Collection(tracks=tracks), replace=True)
        with pytest.raises(PlaylistError, match=said):
            music_source.read_source(place)


def test_only_a_collection_can_be_relocated(music: Path):
    with pytest.raises(ConfigError, match=r"relocate: .* is no collection"):
        music_source.read_source(music, relocate={"a": "b"})
