"""What happens to files between two runs of indexing: which are analysed again, and which stay in the library."""

import dataclasses
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import mutagen
import pytest
import soundfile
from mutagen.id3 import TALB, TCON, TDRC, TIT2

from musicrec.interchange.collection import Collection, CollectionPlaylist, CollectionTrack, Cue
from musicrec.interchange.traktor import write_traktor
from musicrec.recommend import indexing
from musicrec.recommend.index_report import IndexReport
from musicrec.recommend.report_texts import index_text
from musicrec.recommend.sqlite_library import SqliteLibrary
from tests.counting_analyzer import RATE


def numbers(report: IndexReport) -> dict[str, int]:
    """Return the counts that are not 0."""
    counted = (
        "added",
        "changed",
        "completed",
        "retagged",
        "moved",
        "copies",
        "unchanged",
        "back",
        "missing",
        "unlisted",
        "kept",
    )
    found = {name: getattr(report, name) for name in counted} | {"unreadable": len(report.unreadable)}
    return {name: count for name, count in found.items() if count}


def ids(library: SqliteLibrary) -> list[str]:
    return [track.track_id for track in library.read()[0]]


def tag(path: Path, **texts: str) -> None:
    tags = mutagen.File(path)
    if tags.tags is None:
        tags.add_tags()
    for frame in (TIT2, TALB, TCON, TDRC):
        if frame.__name__ in texts:
            tags.tags.add(frame(text=[texts[frame.__name__]]))
    tags.save()


def test_a_touched_file_is_not_analysed_again(run: Callable, library: SqliteLibrary, music: Path):
    run(music)
    os.utime(music / "soft" / "2.wav", ns=(5, 5))
    done, calls = run(music)
    assert (numbers(done), calls) == ({"unchanged": 6}, 0)
    (file,) = [file for file in library.files() if file.track_id == "soft/2"]
    assert file.mtime_ns == 5, "the next run does not read the file"


def test_a_track_of_an_older_version_is_analysed_again(run: Callable, library: SqliteLibrary, music: Path):
    shutil.copy(music / "soft" / "2.wav", music / "soft" / "copy.wav")
    run(music)
    forget = (
        "UPDATE recordings SET passages = NULL WHERE audio_hash = (SELECT audio_hash FROM files WHERE track_id = ?)"
    )
    library._connection.execute(forget, ("soft/2",))
    done, calls = run(music)
    assert (numbers(done), calls) == ({"completed": 1, "unchanged": 6}, 1)
    assert numbers(run(music)[0]) == {"unchanged": 7} and len(library) == 6
    library._connection.execute(forget, ("loud/4",))
    (music / "loud" / "4.wav").rename(music / "moved.wav")
    done, calls = run(music)
    assert (numbers(done), calls) == ({"moved": 1, "unchanged": 6}, 0), "a moved one is looked at by the next run"
    assert numbers(run(music)[0]) == {"completed": 1, "unchanged": 6}


def test_a_renamed_folder_is_recognised(run: Callable, library: SqliteLibrary, music: Path):
    run(music)
    before = library.audio_hashes()
    (music / "soft").rename(music / "calm")
    done, calls = run(music)
    assert (numbers(done), calls) == ({"moved": 4, "unchanged": 2}, 0)
    assert ids(library) == ["calm/0", "calm/1", "calm/2", "calm/3", "loud/4", "loud/5"]
    assert library.audio_hashes() == before and len(library.files()) == 6
    assert [(source.files, source.missing) for source in library.sources()] == [(6, 0)]
    assert "6 tracks (4 moved, 2 unchanged)" in index_text(done, library=library.path).plain
    assert numbers(run(music)[0]) == {"unchanged": 6}


def test_a_source_that_was_renamed_is_recognised(run: Callable, library: SqliteLibrary, music: Path):
    run(music)
    there = music.rename(music.parent / "elsewhere")
    done, calls = run(there)
    assert (numbers(done), calls) == ({"moved": 6}, 0)
    assert {Path(file.path).parents[1] for file in library.files()} == {there}


def test_other_tags_in_a_file_need_no_model(run: Callable, library: SqliteLibrary, music: Path):
    run(music)
    tag(music / "soft" / "3.wav", TIT2="Three", TALB="Numbers", TCON="House", TDRC="1998-05-04")
    done, calls = run(music)
    assert (numbers(done), calls) == ({"retagged": 1, "unchanged": 5}, 0)
    (track,) = library.find(track_id="soft/3")
    assert (track.title, track.album, track.genre, track.year) == ("Three", "Numbers", "House", 1998)
    (music / "soft" / "3.wav").rename(music / "third.wav")
    tag(music / "third.wav", TIT2="Third")
    done, calls = run(music)
    assert (numbers(done), calls) == ({"moved": 1, "unchanged": 5}, 0), "moved and tagged anew at the same time"
    assert library.find(track_id="third")[0].title == "Third" and not library.find(track_id="soft/3")


def test_copies_are_one_track_with_several_files(run: Callable, library: SqliteLibrary, music: Path):
    run(music)
    shutil.copy(music / "soft" / "0.wav", music / "a copy.wav")
    samples, rate = soundfile.read(music / "soft" / "1.wav", dtype="int16")
    soundfile.write(music / "another.flac", samples, rate)
    done, calls = run(music)
    assert (numbers(done), calls) == ({"copies": 2, "unchanged": 6}, 0)
    assert len(library) == 6 and len(library.files()) == 8
    assert "a copy" in ids(library) and "soft/0" not in ids(library), "the first path stands for all"
    (music / "a copy.wav").unlink()
    assert numbers(run(music)[0]) == {"missing": 1, "unchanged": 7}
    assert "soft/0" in ids(library), "the copy that is there stands for all"


def test_copies_in_a_new_library_are_analysed_once(run: Callable, library: SqliteLibrary, music: Path):
    shutil.copytree(music / "soft", music / "again")
    done, calls = run(music)
    assert (numbers(done), calls) == ({"added": 6, "copies": 4}, 6)


def test_a_deleted_file_is_kept_as_missing_until_it_is_back(run: Callable, library: SqliteLibrary, music: Path):
    run(music)
    shutil.move(music / "soft", music.parent / "trash")
    for _ in range(2):
        done, calls = run(music)
        assert (numbers(done), calls) == ({"missing": 4, "unchanged": 2}, 0)
    assert ids(library) == ["loud/4", "loud/5"] and len(library.files()) == 6
    assert "missing files are kept and not recommended" in index_text(done, library=library.path).plain
    assert library.find(track_id="soft/1")[0].track_id == "soft/1", "it can still be asked about"
    shutil.move(music.parent / "trash", music / "soft")
    done, calls = run(music)
    assert (numbers(done), calls) == ({"unchanged": 6, "back": 4}, 0) and len(library) == 6


def test_missing_files_that_come_back_elsewhere_are_moved(run: Callable, library: SqliteLibrary, music: Path):
    run(music)
    shutil.move(music / "soft", music.parent / "trash")
    run(music)
    shutil.move(music.parent / "trash", music / "back")
    done, calls = run(music)
    assert (numbers(done), calls) == ({"moved": 4, "unchanged": 2}, 0)
    assert not any(file.missing for file in library.files())


def test_sources_may_nest(run: Callable, library: SqliteLibrary, music: Path):
    run(music)
    done, calls = run(music / "soft")
    assert (numbers(done), calls) == ({"unchanged": 4}, 0)
    assert {source.place: source.files for source in library.sources()} == {str(music): 6, str(music / "soft"): 4}
    assert [track.track_id for track in library.find(track_id="soft/0")] == ["0"], "found by both names"
    (music / "soft" / "0.wav").unlink()
    assert numbers(run(music)[0]) == {"missing": 1, "unchanged": 5}
    assert numbers(run(music / "soft")[0]) == {"missing": 1, "unchanged": 3}
    library.prune()
    assert len(library.files()) == 5 and numbers(run(music / "soft")[0]) == {"unchanged": 3}


def test_a_file_that_another_source_lists_stays(run: Callable, library: SqliteLibrary, music: Path):
    playlist = music / "list.m3u8"
    playlist.write_text("soft/0.wav\nsoft/1.wav\n")
    run(music)
    run(playlist)
    playlist.write_text("soft/1.wav\n")
    assert numbers(run(playlist)[0]) == {"unlisted": 1, "unchanged": 1}
    assert len(library) == 6, "the folder has it"


def test_a_file_that_nobody_lists_is_missing(run: Callable, library: SqliteLibrary, music: Path):
    playlist = music / "list.m3u8"
    playlist.write_text("soft/0.wav\nsoft/1.wav\n")
    run(playlist)
    playlist.write_text("soft/1.wav\n")
    assert numbers(run(playlist)[0]) == {"unlisted": 1, "unchanged": 1}
    assert len(library) == 1
    playlist.write_text("soft/0.wav\nsoft/1.wav\n")
    assert numbers(run(playlist)[0]) == {"unchanged": 2, "back": 1} and len(library) == 2


def test_a_file_that_became_unreadable_is_missing_and_comes_back(run: Callable, library: SqliteLibrary, music: Path):
    run(music)
    path, content = music / "soft" / "0.wav", (music / "soft" / "0.wav").read_bytes()
    path.write_bytes(content[:20])
    assert numbers(run(music)[0]) == {"unchanged": 5, "missing": 1, "unreadable": 1} and len(library) == 5
    path.write_bytes(content)
    done, calls = run(music)
    assert (numbers(done), calls) == ({"unchanged": 6, "back": 1}, 0) and len(library) == 6


def test_other_audio_at_the_same_path_is_analysed(run: Callable, library: SqliteLibrary, music: Path):
    run(music)
    soundfile.write(music / "soft" / "0.wav", [0.9, -0.9] * 1000, RATE)
    done, calls = run(music)
    assert (numbers(done), calls) == ({"changed": 1, "unchanged": 5}, 1)
    assert library.find(track_id="soft/0")[0].embedding[0] == pytest.approx(0.9, abs=1e-3)
    assert len(library.audio_hashes()) == 7, "the audio that was there may come back"
    assert library.prune() == (0, 1)


def test_two_files_that_changed_places(run: Callable, library: SqliteLibrary, music: Path):
    run(music)
    one, two = music / "soft" / "0.wav", music / "loud" / "4.wav"
    one.rename(music / "x")
    two.rename(one)
    (music / "x").rename(two)
    os.utime(one, ns=(1, 1))
    os.utime(two, ns=(1, 1))
    _, calls = run(music)
    assert (calls, len(library.files()), len(library)) == (0, 6, 6)
    assert library.find(track_id="soft/0")[0].embedding[0] == pytest.approx(0.5, abs=1e-3)


def test_a_folder_that_could_not_be_opened_changes_nothing(
    run: Callable, library: SqliteLibrary, music: Path, monkeypatch: pytest.MonkeyPatch
):
    run(music)
    look, stat = os.scandir, os.stat

    def scandir(path: Path) -> object:  # the tests may run as root, whom no permission stops
        if Path(path).name == "soft":
            raise PermissionError(13, "Permission denied")
        return look(path)

    def stat_of(path: Path, **settings: object) -> os.stat_result:
        if Path(path).parent.name == "soft":
            raise PermissionError(13, "Permission denied")
        return stat(path, **settings)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", scandir)
        patched.setattr(os, "stat", stat_of)
        shutil.copy(music / "loud" / "4.wav", music / "copy.wav")
        done, calls = run(music)
    assert (numbers(done), calls) == ({"kept": 4, "copies": 1, "unchanged": 2}, 0)
    assert not any(file.missing for file in library.files())


def test_what_was_saved_is_saved_every_few_seconds(
    run: Callable, library: SqliteLibrary, music: Path, monkeypatch: pytest.MonkeyPatch
):
    sizes: list[int] = []
    save = library.save
    monkeypatch.setattr(indexing, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(library, "save", lambda changes: (save(changes), sizes.append(len(library))))
    run(music)
    assert sizes == [0, 1, 2, 3, 4, 5, 6, 6] and indexing.SAVE_EVERY_S <= 5


@pytest.mark.parametrize("renamed", [False, True])
def test_a_library_without_hashes_of_bytes_recognises_files_by_their_sound(
    run: Callable, library: SqliteLibrary, music: Path, renamed: bool
):
    """As one of an older format."""
    run(music)
    library._connection.execute("UPDATE files SET content_hash = NULL")
    if renamed:
        (music / "soft").rename(music / "calm")
    else:
        os.utime(music / "soft" / "0.wav", ns=(1, 1))
    done, calls = run(music)
    assert numbers(done) == ({"moved": 4, "unchanged": 2} if renamed else {"retagged": 1, "unchanged": 5})
    assert calls == 0 and len(library.files()) == 6
    assert sum(file.content_hash is not None for file in library.files()) == (4 if renamed else 1)


def test_what_a_collection_says_is_kept(run: Callable, library: SqliteLibrary, music: Path, tmp_path: Path):
    cue = Cue(position_s=1.5, hot_cue=0, name="Drop")
    first = CollectionTrack(
        path=str(music / "soft" / "0.wav"), title="Zero", bpm=124.5, key="8A", rating=4, cues=(cue,)
    )
    second = CollectionTrack(path=str(music / "soft" / "1.wav"), title="One")
    playlists = (CollectionPlaylist(name="Friday", tracks=(0, 1)),)
    place = write_traktor(tmp_path / "my.nml", Collection(tracks=(first, second), playlists=playlists))
    run(music)
    run(place)
    (audio_hash,) = {track.audio_hash for track in library.find(path=first.path)}
    ((found,),) = library.listings([audio_hash]).values()
    assert (found.source, found.metadata["bpm"], found.metadata["rating"]) == (str(place), 124.5, 4)
    assert found.metadata["playlists"] == ["Friday"] and found.metadata["program"]
    assert [(cue["position_s"], cue["name"]) for cue in found.metadata["cues"]] == [(1.5, "Drop")]
    source = next(source for source in library.sources() if source.place == str(place))
    assert source.kind == "collection" and source.metadata["playlists"] == [
        {"name": ["Friday"], "paths": [first.path, second.path]}
    ]
    write_traktor(place, Collection(tracks=(dataclasses.replace(first, rating=2), second)), replace=True)
    run(place)
    assert library.listings([audio_hash])[audio_hash][0].metadata["rating"] == 2
