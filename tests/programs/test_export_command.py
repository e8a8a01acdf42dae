"""`musicrec export` and `musicrec set --export`, with pyrekordbox as another reader."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from musicrec.interchange.m3u import read_m3u
from musicrec.interchange.rekordbox import read_rekordbox
from musicrec.interchange.traktor import read_traktor
from musicrec.recommend.library import Changes, Listing, Recording, Source
from musicrec.recommend.library_tracks import mix_facts
from musicrec.recommend.sqlite_library import SqliteLibrary
from tests.programs.test_feedback_commands import Run, library, make_track, run  # noqa: F401  fixtures

ODD = ("a b.flac", "Ümläut & Co.flac", "🎧 100% #1.flac", "it's 'quoted' [x].flac")


@pytest.fixture
def odd(library: Path, tmp_path: Path) -> list[Path]:  # noqa: F811  the fixture
    """Four files with difficult names in the library, as tracks 21 to 24."""
    files = [tmp_path / "Müsic & more" / name for name in ODD]
    files[0].parent.mkdir()
    for file in files:
        file.write_bytes(b"not read")
    with SqliteLibrary.open(library) as opened:
        opened.add([replace(make_track(21 + number, file.stem), path=str(file)) for number, file in enumerate(files)])
    return files


def test_a_set_with_difficult_names_in_every_format(run: Run, odd: list[Path], tmp_path: Path):  # noqa: F811
    before = [(file.read_bytes(), file.stat().st_mtime_ns) for file in odd]
    titles = [file.stem for file in odd]
    locks = [word for place, title in enumerate(titles[1:], start=2) for word in ("--lock", f"{place}={title}")]
    files = [tmp_path / f"s.{suffix}" for suffix in ("xml", "nml", "m3u8", "csv", "json")]
    words = [word for file in files for word in ("--export", file)]
    printed, _ = run("set", titles[0], "-n", "4", *locks, *words, "--key-notation", "name")
    assert all(f"wrote 4 tracks to {file}" in printed for file in files)
    paths = [str(file) for file in odd]
    rekordbox, traktor = read_rekordbox(files[0]), read_traktor(files[1])
    for collection in (rekordbox, traktor):
        (playlist,) = collection.playlists
        assert [collection.tracks[number].path for number in playlist.tracks] == paths
        assert [track.title for track in collection.tracks] == titles
    assert [entry.path for entry in read_m3u(files[2]).entries] == paths
    with files[3].open(encoding="utf-8", newline="") as file:
        assert [row["path"] for row in csv.DictReader(file)] == paths
    assert [track["path"] for track in json.loads(files[4].read_text())["tracks"]] == paths
    assert all(track.bpm and track.key and not track.key[0].isdigit() for track in rekordbox.tracks)
    assert [(file.read_bytes(), file.stat().st_mtime_ns) for file in odd] == before, "audio files are never touched"

    rbxml = pytest.importorskip("pyrekordbox.rbxml", reason="pyrekordbox is not installed; pip install pyrekordbox")
    theirs = rbxml.RekordboxXml(str(files[0]))
    assert [track.Name for track in theirs.get_tracks()] == titles
    assert [Path("/", track.Location.lstrip("/")) for track in theirs.get_tracks()] == odd
    (name,) = [playlist.name for playlist in theirs.root_playlist_folder.get_playlists()]
    assert name == f"Set from Ada & Bo – {titles[0]}"
    ids = [track.TrackID for track in theirs.get_tracks()]
    assert list(theirs.get_playlist(name).get_tracks()) == ids

    _, error = run("set", titles[0], "-n", "4", "--export", files[0], status=1)
    assert "s.xml: exists already; give another name, or replace it with --force" in error
    printed, _ = run("set", titles[0], "-n", "4", "--export", files[0], "--force")
    assert f"replaced {files[0]}: 4 tracks; the old file is gone" in printed


def test_what_can_be_exported(run: Run, tmp_path: Path):  # noqa: F811
    run("playlist", "add", "Friday", "Second", "Third 🎧", "Second")
    run("rate", "Second", "4")
    printed, _ = run("export", "f.xml", "--playlist", "Friday", "--key-notation", "open")
    assert "wrote 2 tracks in 3 entries to f.xml; delete the file to undo it" in printed
    written = read_rekordbox("f.xml")
    assert (written.playlists[0].name, written.playlists[0].tracks) == ("Friday", (0, 1, 0))
    assert written.tracks[0].rating == 4 and written.tracks[1].rating is None
    assert written.tracks[0].key[-1] in "dm" and written.tracks[0].key[0].isdigit()

    (tmp_path / "s.json").write_text(run("set", "Second", "-n", "3", "--json")[0])
    done = json.loads(run("export", "s.m3u8", "--set", "s.json", "--json")[0])
    assert (done["tracks"], done["entries"], done["left_out"]) == (3, 3, [])
    hashes = [track["audio_hash"] for track in json.loads((tmp_path / "s.json").read_text())["tracks"]]
    assert len(set(hashes)) == 3

    run("export", "q.csv", "--query", "Second", "-k", "2")
    with (tmp_path / "q.csv").open(encoding="utf-8") as file:
        assert len(rows := list(csv.DictReader(file))) == 2
    answer = json.loads(run("query", "Second", "-k", "2", "--json")[0])
    assert [row["path"] for row in rows] == [result["path"] for result in answer["results"]]

    assert "wrote 8 tracks to all.nml" in run("export", "all.nml", "--all")[0]
    everything = read_traktor("all.nml")
    assert len(everything.tracks) == 8 and everything.playlists == ()


def test_places_on_another_computer(run: Run, tmp_path: Path):  # noqa: F811
    run("playlist", "add", "Friday", "Second")
    run("export", "a.xml", "--playlist", "Friday", "--relocate", "/music=C:/My Music")
    assert 'Location="file://localhost/C:/My%20Music/2.flac"' in (tmp_path / "a.xml").read_text()
    run("export", "a.csv", "--playlist", "Friday", "--relocate", "/music=C:/My Music")
    assert "C:/My Music/2.flac" in (tmp_path / "a.csv").read_text()
    run("export", "a.m3u8", "--playlist", "Friday")
    assert "\n/music/2.flac\n" in (tmp_path / "a.m3u8").read_text(), "music is elsewhere: absolute"
    run("export", "b.m3u8", "--playlist", "Friday", "--relative-to", "/music/lists")
    assert "\n../2.flac\n" in (tmp_path / "b.m3u8").read_text()
    _, error = run("export", "b.xml", "--playlist", "Friday", "--relative-to", "/music", status=1)
    assert "paths in .xml are absolute; say where folders are there with relocate" in error


def test_our_beat_grid_is_written_where_it_is_sure(run: Run, library: Path, tmp_path: Path):  # noqa: F811
    """The third beat of a bar at 0.3 s: the next bar begins two beats later."""
    sure = {"first_beat_s": 0.3, "beats_per_bar": 4, "first_place": 3, "confidence": 0.9}
    with SqliteLibrary.open(library) as opened:
        tracks = {track.title: track for track in opened.read()[0]}
        names = ("Second", "Third 🎧", "Fourth")
        tempo = {name: mix_facts(opened.heads, tracks[name]).bpm for name in names}
        grids = {
            "Second": sure | {"bpm": round(1.01 * tempo["Second"], 2)},
            "Third 🎧": sure | {"bpm": tempo["Third 🎧"], "confidence": 0.1},
            "Fourth": sure | {"bpm": tempo["Fourth"] * 2 / 3},  # on real music, grids with three beats in two
        }
        recordings = [
            Recording(
                audio_hash=tracks[title].audio_hash,
                duration_s=tracks[title].duration_s,
                probabilities=tracks[title].probabilities,
                embedding=tracks[title].embedding,
                beat_grid=grid,
            )
            for title, grid in grids.items()
        ]
        opened.save(Changes(recordings=recordings))
    run("playlist", "add", "Friday", *grids)
    for name, read in (("g.xml", read_rekordbox), ("g.nml", read_traktor)):
        run("export", name, "--playlist", "Friday")
        second, third, fourth = read(name).tracks
        (point,) = second.beat_grid
        bpm = grids["Second"]["bpm"]
        assert (point.position_s, point.bpm, point.beat) == (pytest.approx(0.3 + 120 / bpm, abs=1e-3), bpm, 1)
        assert second.bpm == bpm
        assert third.beat_grid == fourth.beat_grid == ()
        assert (third.bpm, fourth.bpm) == tuple(pytest.approx(tempo[name], abs=0.01) for name in names[1:])

    rbxml = pytest.importorskip("pyrekordbox.rbxml", reason="pyrekordbox is not installed; pip install pyrekordbox")
    second, third, fourth = rbxml.RekordboxXml("g.xml").get_tracks()
    (first,) = second.tempos
    assert (first.Inizio, first.Bpm) == (pytest.approx(0.3 + 120 / bpm, abs=1e-3), bpm)
    assert (first.Metro, first.Battito) == ("4/4", 1)
    assert third.tempos == fourth.tempos == []


def test_ours_and_theirs(run: Run, library: Path, tmp_path: Path):  # noqa: F811
    said = {
        "program": "rekordbox 7.0.9",
        "bpm": 90.0,
        "key": "1A",
        "rating": 2,
        "comment": "loud",
        "play_count": 3,
        "date_added": "2024-02-29",
        "cues": [{"position_s": 1.5, "kind": "cue", "name": "drop", "hot_cue": 0, "colour": [1, 2, 3]}],
        "beat_grid": [{"position_s": 0.1, "bpm": 90.0, "beat": 1, "metre": "4/4"}],
    }
    with SqliteLibrary.open(library) as opened:
        source = Source(place="/r.xml", kind="collection")
        listing = Listing(path="/music/2.flac", track_id="x", metadata=said)
        opened.save(Changes(place="/r.xml", source=source, listed=[listing]))
    run("playlist", "add", "Friday", "Second")
    run("export", "a.xml", "--playlist", "Friday")
    (track,) = read_rekordbox("a.xml").tracks
    assert track.bpm != 90.0 and track.key != "1A" and (track.comment, track.play_count, track.rating) == ("loud", 3, 2)
    assert str(track.date_added) == "2024-02-29" and track.cues[0].colour == (1, 2, 3) and track.cues[0].name == "drop"
    assert track.beat_grid[0].bpm == 90.0
    run("export", "a.json", "--playlist", "Friday")
    (record,) = json.loads((tmp_path / "a.json").read_text())["tracks"]
    assert record["source"] == {"rekordbox.bpm": "90.0", "rekordbox.key": "1A"} and record["bpm"] == track.bpm
    run("rate", "Second", "5")
    run("export", "b.xml", "--playlist", "Friday")
    assert read_rekordbox("b.xml").tracks[0].rating == 5, "what you say goes before"


def test_what_cannot_be_written_is_left_out_and_named(run: Run, library: Path):  # noqa: F811
    run("playlist", "add", "Friday", "Second", "Third 🎧")
    with SqliteLibrary.open(library) as opened:
        opened.save(Changes(missing=["/music/3.flac"]))
    printed, _ = run("export", "a.m3u8", "--playlist", "Friday")
    assert "left out missing: /music/3.flac" in printed and "wrote 1 track to a.m3u8" in printed
    with SqliteLibrary.open(library) as opened:
        opened.save(Changes(missing=["/music/2.flac"]))
    _, error = run("export", "b.m3u8", "--playlist", "Friday", status=1)
    assert "b.m3u8: there is no track to write: missing: /music/2.flac; missing: /music/3.flac" in error


def test_mistakes(run: Run, tmp_path: Path):  # noqa: F811
    (tmp_path / "old.xml").write_text("<DJ_PLAYLISTS/>")
    (tmp_path / "answer.json").write_text('{"results": []}')
    (tmp_path / "older.json").write_text('{"tracks": [{"name": "a"}]}')
    for words, message in (
        (("a.xml",), "a.xml: what to write? name one: --playlist NAME, --set SET.json, --query TRACK or --all"),
        (("a.xml", "--all", "--query", "x"), "what to write? not --query and --all together"),
        (("a.txt", "--all"), "a.txt: give a file whose name ends in .xml (rekordbox), .nml (Traktor), .m3u8 (players)"),
        (("song.flac", "--all"), "song.flac: give a file whose name ends in"),
        (("old.xml", "--all"), "old.xml: exists already; give another name, or replace it with --force"),
        (("old.xml", "--all", "--force"), "old.xml: was not written by musicrec, and is left as it is"),
        (("a.xml", "--all", "--key-notation", "b"), "--key-notation b: choose camelot, open or name"),
        (("a.xml", "--all", "--relocate", "x"), "relocate=x: write OLD=NEW"),
        (("a.xml", "--set", "none.json"), "--set none.json: cannot be read: No such file"),
        (("a.xml", "--set", "answer.json"), "--set answer.json: is no set; write one with `musicrec set TRACK --json"),
        (("a.xml", "--set", "older.json"), "does not say which recordings it has; build the set again with --json"),
        (("a.xml", "--playlist", "No"), "you have no playlist 'No'; there is none yet"),
        (("none/a.xml", "--query", "x"), "--query x: there is no such file, and no such track"),
    ):
        printed, error = run("export", *words, status=1)
        assert printed == "" and message in error
    assert (tmp_path / "old.xml").read_text() == "<DJ_PLAYLISTS/>" and not list(tmp_path.glob("a.*"))
