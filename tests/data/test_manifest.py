import hashlib
from pathlib import Path
from unicodedata import normalize

import polars as pl
import pytest

from musicrec.data.manifest import manifest_hash, read_manifest, write_manifest
from musicrec.data.schema import SCHEMA, with_all_columns
from musicrec.errors import ManifestError


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder with three audio files. They are empty, as reading a manifest decodes nothing."""
    (tmp_path / "audio").mkdir()
    for name in ("a.wav", "b.mp3", "c, d.flac"):
        (tmp_path / "audio" / name).touch()
    return tmp_path


def manifest(folder: Path, text: str, name: str = "manifest.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def errors_of(path: Path, **kwargs) -> str:
    with pytest.raises(ManifestError) as caught:
        read_manifest(path, **kwargs)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("stored", "written"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_as_one_character_or_as_two(tmp_path: Path, stored: str, written: str):
    """Tables and disks differ in the form of accents; the path in the frame is that of the disk."""
    path = tmp_path / normalize(stored, "Zoë") / normalize(stored, "Café.wav")
    path.parent.mkdir()
    path.touch()
    (tmp_path / normalize(stored, "ü.csv")).write_text(
        f"track_id,path\na,{normalize(written, 'Zoë/Café.wav')}\n", encoding="utf-8"
    )
    frame = read_manifest(tmp_path / normalize(written, "ü.csv"))
    assert frame["path"].to_list() == [str(path)]
    twin = Path(tmp_path, normalize(written, "Zoë"), normalize(written, "Café.wav"))
    twin.parent.mkdir()
    twin.touch()
    assert read_manifest(tmp_path / normalize(stored, "ü.csv"))["path"].to_list() == [str(twin)], "it exists as written"


def test_every_column_in_its_type(music):
    path = manifest(
        music,
        "mood,track_id,path,split,genre,tags,instruments,bpm,key,mode,time_signature,energy,loudness,duration_s\n"
        "dark,a,audio/a.wav,train, rock ,slow|loud,piano,120.5,F#,minor,4/4,0.5,-7.25,30\n"
        ",b,./audio/b.mp3,,,|,,,Bb,1,3,0,,\n"
        '7" mix,c,"audio/c, d.flac",test,jazz, a | b |,,20,,0,6/8,1,0,1e2\n',
    )
    frame = read_manifest(path)
    assert frame.columns == [*SCHEMA, "mood"]
    assert dict(frame.schema) == {**SCHEMA, "mood": pl.String}
    assert frame["path"].to_list() == [str(music / "audio" / name) for name in ("a.wav", "b.mp3", "c, d.flac")]
    assert frame["genre"].to_list() == ["rock", None, "jazz"]
    assert frame["split"].to_list() == ["train", None, "test"]
    assert frame["tags"].to_list() == [["slow", "loud"], [], ["a", "b"]]
    assert frame["instruments"].to_list() == [["piano"], None, None]
    assert frame["bpm"].to_list() == [120.5, None, 20.0]
    assert frame["key"].to_list() == [6, 10, None]
    assert frame["mode"].to_list() == ["minor", "major", "minor"]
    assert frame["time_signature"].to_list() == [4, 3, 6]
    assert frame["energy"].to_list() == [0.5, 0.0, 1.0]
    assert frame["loudness"].to_list() == [-7.25, None, 0.0]
    assert frame["duration_s"].to_list() == [30.0, None, 100.0]
    assert frame["mood"].to_list() == ["dark", None, '7" mix']
    assert frame["artist"].null_count() == frame["valence"].null_count() == 3


def test_key_alone_also_gives_the_mode(music):
    path = manifest(music, "track_id,path,key\na,audio/a.wav,A minor\nb,audio/b.mp3,D♭ major\nc,audio/b.mp3,E\n")
    frame = read_manifest(path)
    assert frame["key"].to_list() == [9, 1, 4]
    assert frame["mode"].to_list() == ["minor", "major", None]


def test_key_against_the_mode_column(music):
    path = manifest(
        music, "track_id,path,key,mode\na,audio/a.wav,A minor,minor\nb,audio/b.mp3,C major,minor\nc,audio/a.wav,Gm,\n"
    )
    message = errors_of(path)
    assert "1 problem\n" in message and "row 3, key: 'C major', expected the same mode as in the mode column" in message
    path.write_text(path.read_text().replace("C major", "C"))
    assert read_manifest(path)["mode"].to_list() == ["minor", "minor", "minor"]


@pytest.mark.parametrize("name", ["m.tsv", "m.csv", "m.txt"])
def test_tabs_byte_order_mark_and_blank_lines(music, name):
    text = '\ufefftrack_id\tpath\ttitle\r\na\taudio/a.wav\t12" mix\r\n\r\nb\taudio/b.mp3\t7" mix\r\n\r\n'
    frame = read_manifest(manifest(music, text, name))
    assert frame["title"].to_list() == ['12" mix', '7" mix']


def test_all_problems_at_once(music):
    path = manifest(
        music,
        "track_id,path,bpm,key,mode,time_signature,energy,duration_s\n"
        "a,audio/a.wav,fast,X,dorian,waltz,1.5,nan\n"
        "\n"
        "a,audio/nowhere.wav,500,13,2,0,-0.1,inf\n"
        ",,19.9,A dorian,,40,,-1\n",
    )
    message = errors_of(path)
    for row, column, value in [
        (2, "bpm", "'fast'"), (2, "key", "'X'"), (2, "mode", "'dorian'"), (2, "time_signature", "'waltz'"),
        (2, "energy", "'1.5'"), (2, "duration_s", "'nan'"), (4, "track_id", "'a'"), (4, "path", "'audio/nowhere.wav'"),
        (4, "bpm", "'500'"), (4, "key", "'13'"), (4, "mode", "'2'"), (4, "time_signature", "'0'"),
        (4, "energy", "'-0.1'"), (4, "duration_s", "'inf'"), (5, "track_id", "empty"), (5, "path", "empty"),
        (5, "bpm", "'19.9'"), (5, "key", "'A dorian'"), (5, "time_signature", "'40'"), (5, "duration_s", "'-1'"),
    ]:  # fmt: skip
        assert f"row {row}, {column}: {value}, expected" in message
    assert "20 problems" in message and "more" not in message


def test_only_twenty_problems_are_shown(music):
    rows = "".join(f"t{i},audio/a.wav,{i % 2 and 'x'}\n" for i in range(100))
    rows += "".join(f"u{i},audio/{i}.wav,\n" for i in range(30))
    message = errors_of(manifest(music, "track_id,path,bpm\n" + rows.replace(",0\n", ",\n")))
    assert message.startswith(f"{music / 'manifest.csv'}: 80 problems\n")
    assert message.count("\n  row ") == 20
    assert message.endswith("and 60 more (in all: bpm 50, path 30)")
    assert "row 3, bpm" in message and "row 41, bpm" in message


def test_missing_files_are_counted_and_may_be_left_unchecked(music):
    path = manifest(music, "track_id,path\na,audio/a.wav\nb,b.wav\nc,/nowhere/c.wav\nd,audio\n")
    message = errors_of(path)
    assert "3 problems" in message and "'/nowhere/c.wav'" in message and str(music) in message
    assert read_manifest(path, check_files=False)["path"].to_list()[1:3] == [str(music / "b.wav"), "/nowhere/c.wav"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("track_id,genre\na,rock\n", "path: required column is missing; the file has track_id, genre"),
        ("track_id;path;bpm\na;b;120,5\n", "the columns are separated by semicolons; save the file with commas"),
        ("track_id,path,Tempo\na,audio/a.wav,120\n", "Tempo: unknown column; did you mean 'bpm'?"),
        ("track_id,path,genres\na,audio/a.wav,x\n", "genres: unknown column; did you mean 'genre'?"),
        ("track_id,path,BPM\na,audio/a.wav,120\n", "BPM: unknown column; did you mean 'bpm'?"),
        ("track_id,path,durations\na,audio/a.wav,3\n", "durations: unknown column; did you mean 'duration_s'?"),
        ("track_id,path,bpm,bpm\na,audio/a.wav,120,90\n", "bpm: 2 columns have this name"),
        ("track_id,path\na,audio/a.wav,rock\n", "row 2: 3 cells, expected 2"),
        ("track_id,path\n", "no rows"),
        ("", "required column is missing"),
        ("track_id,path,title\na,audio/a.wav,\"never closed\n" + "x" * 200_000, "row 2: a cell begins with a"),
        ("track_id,path,title\na,audio/a.wav,\nb,audio/b.mp3,\"open\nc,audio/a.wav,y\n", "row 3: a cell begins"),
        ("track_id,path,title\nb,audio/b.mp3,\"open\nc,audio/a.wav,\"y\"\n", "row 2: a cell begins with a"),
        ("track_id,path,title\nb,audio/b.mp3,\"Wish\" you\n", "row 2: a cell begins with a"),
    ],
)  # fmt: skip
def test_bad_files(music, text, expected):
    assert expected in errors_of(manifest(music, text))


def test_a_short_row_and_an_unknown_column_of_another_name_are_fine(music):
    frame = read_manifest(manifest(music, "track_id,path,feel,genre,genres\na,audio/a.wav\n"))
    assert frame["feel"].to_list() == frame["genre"].to_list() == [None]


def test_columns_of_other_units_are_not_taken_for_misspelt(music):
    path = manifest(music, "track_id,path,duration_ms,duration,bpm,tempo\na,audio/a.wav,210000,3:30,120,fast\n")
    row = read_manifest(path).row(0, named=True)
    assert (row["duration_ms"], row["duration"], row["tempo"]) == ("210000", "3:30", "fast")
    assert (row["duration_s"], row["bpm"]) == (None, 120.0)


def test_a_missing_file_and_a_file_that_is_not_a_manifest(tmp_path):
    assert "no such manifest" in errors_of(tmp_path / "absent.csv")
    (tmp_path / "m.csv").write_bytes("track_id,path,artist\na,a.wav,Zoë\nb,b.wav,Beyoncé\n".encode("cp1252"))
    message = errors_of(tmp_path / "m.csv")
    assert r"m.csv: row 2: b'Zo\xeb' is not text in UTF-8; save the file as UTF-8" in message
    (tmp_path / "m.csv").write_bytes("track_id\tpath\n".encode("utf-16"))  # a spreadsheet's "Unicode text"
    message = errors_of(tmp_path / "m.csv")
    assert "m.csv: row 1: " in message and "is not text in UTF-8" in message
    (tmp_path / "folder.csv").mkdir()
    assert "cannot be read as CSV: Is a directory" in errors_of(tmp_path / "folder.csv")
    (tmp_path / "m.parquet").write_bytes(b"not parquet")
    assert "cannot be read as Parquet" in errors_of(tmp_path / "m.parquet")


def test_parquet_of_a_data_frame_library(music):
    """Numbers instead of words, NaN instead of empty cells, whole numbers as floats."""
    frame = pl.DataFrame(
        {
            "track_id": ["a", "b"],
            "path": ["audio/a.wav", str(music / "audio/b.mp3")],
            "bpm": [float("nan"), 90.0],
            "key": [9.0, None],
            "mode": [0, 1],
            "time_signature": [4.0, 3.0],
            "tags": [["x", ""], None],
            "genre": pl.Series(["rock", "pop"], dtype=pl.Categorical),
            "artist": ["", "x"],
            "split": ["  ", " test "],
            "energy": [0, 1],
        }
    )
    frame.write_parquet(music / "m.parquet")
    read = read_manifest(music / "m.parquet")
    assert dict(read.schema) == SCHEMA
    assert read["bpm"].to_list() == [None, 90.0]
    assert read["artist"].to_list() == [None, "x"] and read["split"].to_list() == [None, "test"]
    assert read["key"].to_list() == [9, None] and read["mode"].to_list() == ["minor", "major"]
    assert read["time_signature"].to_list() == [4, 3] and read["tags"].to_list() == [["x"], None]
    assert read["path"].to_list() == [str(music / "audio/a.wav"), str(music / "audio/b.mp3")]

    frame.with_columns(bpm=pl.Series([{"x": 1}, None]), energy=pl.Series([2.0, 0.0])).write_parquet(music / "m.parquet")
    message = errors_of(music / "m.parquet")
    assert "bpm: the column holds Struct" in message and "row 1, energy: 2.0, expected" in message


def full_frame(folder: Path) -> pl.DataFrame:
    texts = ['comma, "quote" | and\nnewline', "\ttab ♯", "carriage\rreturn", None]
    return with_all_columns(
        pl.DataFrame(
            {
                "track_id": ["ä/1", " b", "c", "1"],
                "path": [*(f"{folder}/audio/{name}" for name in ("a.wav", "b.mp3", "c, d.flac")), "/elsewhere/x.wav"],
                "title": texts,
                "split": ["train", "test", None, None],
                "tags": [["a", "b, c"], [], None, ["x"]],
                "bpm": [120.123456789, None, 1e2 / 3, 20.0],
                "key": pl.Series([11, 0, None, 1], dtype=pl.Int8),
                "mode": ["major", None, "minor", "minor"],
                "time_signature": pl.Series([4, 6, None, 3], dtype=pl.Int8),
                "energy": [0.1 + 0.2, None, 0.0, 1.0],
                "loudness": [-0.0, None, -60.5, 3.25],
                "mood": texts,
            }
        )
    )


@pytest.mark.parametrize("name", ["m.csv", "m.tsv", "m.parquet"])
def test_round_trip(music, name):
    frame = full_frame(music)
    write_manifest(frame, music / name)
    read = read_manifest(music / name, check_files=False)
    assert read.schema == frame.schema
    assert read.equals(frame)
    assert manifest_hash(read) == manifest_hash(frame)
    assert [path.name for path in music.iterdir() if "tmp" in path.name] == []


def test_the_file_is_plain(music):
    frame = read_manifest(manifest(music, "track_id,path,key,bpm,tags\na,audio/a.wav,C# minor,99.5,x|y\n"))
    write_manifest(frame, music / "out.csv")
    assert (music / "out.csv").read_text() == "track_id,path,tags,bpm,key,mode\na,audio/a.wav,x|y,99.5,Db,minor\n"


def test_a_moved_folder_reads_the_same(music, tmp_path):
    write_manifest(full_frame(music).head(3), music / "m.csv")
    moved = music.rename(music.with_name("moved"))
    frame = read_manifest(moved / "m.csv")
    assert frame["path"][0] == str(moved / "audio" / "a.wav")
    assert manifest_hash(frame) == manifest_hash(full_frame(music).head(3))
    moved.rename(music)


def test_what_csv_cannot_hold(music):
    with pytest.raises(ManifestError, match=r"tags holds '\|'"):
        write_manifest(full_frame(music).with_columns(tags=pl.lit(["a|b"])), music / "m.csv")
    with pytest.raises(ManifestError, match="column where holds Struct"):
        write_manifest(full_frame(music).with_columns(where=pl.struct(x=1)), music / "m.csv")
    assert not (music / "m.csv").exists()


def test_a_failed_write_leaves_the_old_file(music, monkeypatch):
    path = manifest(music, "track_id,path\na,audio/a.wav\n")
    before = path.read_bytes()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_csv", full)
    with pytest.raises(ManifestError, match="No space left on device"):
        write_manifest(full_frame(music), path)
    assert path.read_bytes() == before and [p.name for p in music.iterdir() if p.name.startswith(".")] == []
    with pytest.raises(ManifestError, match=r"cannot write .*m\.csv: Not a directory"):
        write_manifest(full_frame(music), path / "m.csv")


def test_hash_sees_labels_and_splits_only(music):
    frame = full_frame(music)
    same = manifest_hash(frame)
    assert len(same) == len(hashlib.sha256().hexdigest()) and set(same) <= set("0123456789abcdef")
    assert manifest_hash(frame.reverse()) == same
    assert manifest_hash(frame.with_columns(path=pl.lit("/x"), title=pl.lit("y"), mood=pl.lit("z"))) == same
    assert manifest_hash(frame.with_columns(tags=pl.col("tags").list.reverse())) == same
    assert manifest_hash(frame.drop("genre", "mood")) == same
    different = [
        frame.head(3),
        frame.with_columns(split=pl.col("split").fill_null("train")),
        frame.with_columns(energy=pl.col("energy").fill_null(0)),
        frame.with_columns(tags=pl.when(pl.col("track_id") != " b").then("tags")),
        frame.with_columns(key=pl.col("key").reverse()),
        frame.with_columns(track_id=pl.col("track_id") + "x"),
    ]
    assert len({same, *(manifest_hash(other) for other in different)}) == 7


def test_hash_sees_beats_where_there_are_some(music):
    """A manifest without beats keeps the hash that it had before there was a column for them."""
    frame = full_frame(music).drop("beats", strict=False)
    some, others = (frame.with_columns(beats=pl.lit(cell)) for cell in ("0.5/1", "0.6/1"))
    without = frame.with_columns(beats=pl.lit(None, pl.String))
    assert manifest_hash(without) == manifest_hash(frame)
    assert len({manifest_hash(other) for other in (frame, some, others)}) == 3


def test_a_bad_beat_is_named_and_not_the_hundreds_around_it(music):
    good = " ".join(f"{number / 2:.3f}/{number % 4 + 1}" for number in range(400))
    text = f"track_id,path,beats\na,audio/a.wav,{good}\nb,audio/b.mp3,{good} 3.000/1\nc,audio/a.wav,\n"
    expected = "row 3, beats: '3.000/1', expected increasing times in seconds from 0 on, with or without the place"
    message = errors_of(manifest(music, text))
    assert expected in message and "1 problem\n" in message and len(message) < 400
    frame = read_manifest(manifest(music, text.replace(" 3.000/1", "")))
    assert frame["beats"].to_list() == [good, good, None]


def test_the_rendered_corpus(shared):
    frame = read_manifest(shared / "corpus" / "manifest.csv")
    assert frame.height == 1194
    row = frame.row(0, named=True)
    assert (row["track_id"], row["key"], row["mode"], row["bpm"]) == ("jazz_000", 8, "minor", 182.0)
    assert frame["time_signature"].unique().sort().to_list() == [3, 4]
    assert row["instruments"] == ["bass", "electric guitar", "flute", "strings"] and row["tags"] is None
    assert read_manifest(shared / "recordings" / "manifest.csv")["feel"].null_count() == 3
