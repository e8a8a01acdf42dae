from collections.abc import Callable
from pathlib import Path

import pytest

from musicrec.data.adapters.magnatagatune import ARCHIVES, PUBLISHED, TOP50, magnatagatune
from musicrec.data.manifest import read_manifest
from musicrec.errors import ConfigError, ManifestError

ROOT = Path(__file__).parents[3]
# (clip_id, folder, its tags): every folder of the splits, one clip with none of the 50 tags, one with no tag at all.
CLIPS = [
    ("2", "0", ["guitar", "no vocals"]),
    ("6", "9", ["techno", "loud"]),
    ("10", "b", ["guitar", "rare3"]),
    ("11", "c", ["techno"]),
    ("12", "d", ["guitar"]),
    ("22", "f", ["loud", "techno"]),
    ("23", "e", ["rare7"]),
    ("24", "a", []),
]


@pytest.fixture
def tree(tmp_path: Path, audio: Callable) -> Path:
    """A small MagnaTagATune in the original form: 188 tags, quoted cells, tabs."""
    root = tmp_path / "MTAT"
    names = [*TOP50, *(f"rare{number}" for number in range(138))]
    lines = ["\t".join(f'"{name}"' for name in ("clip_id", *names, "mp3_path"))]
    info = ["clip_id\ttrack_number\ttitle\tartist\talbum\turl\tsegmentStart\tsegmentEnd\toriginal_url\tmp3_path"]
    for clip, part, tags in CLIPS:
        path = f"{part}/artist_{clip}-album-01-title-0-29.mp3"
        audio(root / path)
        lines.append("\t".join(f'"{cell}"' for cell in (clip, *(int(name in tags) for name in names), path)))
        info.append(f"{clip}\t1\tTitle {clip}\tArtist {int(clip) % 10}\tAlbum {clip}\turl\t0\t29\turl\t{path}")
    (root / "annotations_final.csv").write_text("\n".join(lines) + "\n")
    (root / "clip_info_final.csv").write_text("\n".join(info) + "\n")
    return root


def test_tags_are_in_the_order_of_public_checkpoints():
    assert list(TOP50) == (ROOT / "docs" / "magnatagatune_top50.txt").read_text().splitlines()


def test_published_counts_are_all_clips_without_the_empty_ones():
    assert sum(PUBLISHED["full"].values()) == 25_863 - 3
    assert sum(PUBLISHED["clean"].values()) == 21_108
    assert all(checksum.startswith("md5:") for archive in ARCHIVES for checksum in archive.checksums)


def test_clean_split(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    path = magnatagatune(root=tree, folder=tmp_path / "stores")
    assert path == tmp_path / "stores" / "magnatagatune" / "clean_top50.csv"
    rows = {row["track_id"]: row for row in read_manifest(path).to_dicts()}
    assert {track: row["split"] for track, row in rows.items()} == {
        "2": "train", "6": "train", "10": "train", "11": "valid", "12": "test", "22": "test",
    }  # fmt: skip
    assert rows["2"]["tags"] == ["guitar", "no vocals"] and rows["10"]["tags"] == ["guitar"]
    assert (rows["2"]["artist"], rows["2"]["title"]) == ("Artist 2", "Title 2")
    report = path.with_suffix(".checks.txt").read_text()
    assert "train: 3 tracks, expected 15,247 as published" in report
    assert "Artist 2 (test, train)" in report, "clips 2, 12 and 22 are by the same artist"
    assert "train: 3 tracks, expected 15,247 as published" in capsys.readouterr().out


def test_full_split_keeps_clips_without_any_of_the_tags(tree: Path, tmp_path: Path):
    frame = read_manifest(magnatagatune(root=tree, folder=tmp_path, split="full"))
    assert dict(frame.select("track_id", "split").iter_rows())["23"] == "test"
    assert dict(frame.select("track_id", "tags").iter_rows())["24"] == [], "it was listened to: no tag, not unknown"
    every = read_manifest(magnatagatune(root=tree, folder=tmp_path, split="full", tags="all"))
    assert dict(every.select("track_id", "tags").iter_rows())["23"] == ["rare7"]


def test_empty_files_are_left_out(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    annotations = tree / "annotations_final.csv"
    known = {"6": "35644", "10": "55753", "11": "57881"}
    for clip, empty in known.items():
        annotations.write_text(annotations.read_text().replace(f'"{clip}"\t', f'"{empty}"\t'))
    for clip in (*known, "22"):
        next(tree.glob(f"?/artist_{clip}-*")).write_bytes(b"")
    frame = read_manifest(magnatagatune(root=tree, folder=tmp_path))
    assert set(frame["track_id"]) == {"2", "12"}
    out = capsys.readouterr().out
    (line,) = (line for line in out.splitlines() if "known to be damaged" in line)
    assert line.startswith("  note     3 files known to be damaged, left out: ")
    assert all(f"{clip} (0 bytes)" in line for clip in known.values())
    assert "warning  1 empty file left out; download again: 22 (0 bytes)" in out


def test_without_the_names_of_artists(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    (tree / "clip_info_final.csv").unlink()
    magnatagatune(root=tree, folder=tmp_path)
    assert "artists are unknown" in capsys.readouterr().out


def test_audio_may_lie_in_a_folder_of_its_own(tree: Path, tmp_path: Path):
    (tree / "mp3").mkdir()
    for part in tree.glob("?"):
        part.rename(tree / "mp3" / part.name)
    assert read_manifest(magnatagatune(root=tree, folder=tmp_path)).height == 6


def lose_folders(root: Path) -> None:
    for part in root.glob("?"):
        part.rename(root / f"x{part.name}")


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda root: (root / "annotations_final.csv").unlink(), "no file annotations_final.csv below data.root="),
        (lambda root: (root / "annotations_final.csv").write_text("clip_id\tguitar\n1\t0\n"), "has no column mp3_path"),
        (lambda root: next((root / "c").iterdir()).unlink(), r"no file c/artist_11-album-01-title-0-29.mp3 below"),
        (lose_folders, r"no file or folder like mp3/\[0-9a-f\] or \[0-9a-f\] below"),
    ],
)
def test_damage_is_reported(tree: Path, tmp_path: Path, break_it: Callable, message: str):
    break_it(tree)
    with pytest.raises(ManifestError, match=message):
        magnatagatune(root=tree, folder=tmp_path)


def change(path: Path, row: int, column: int, cell: str) -> None:
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    lines[row - 1][column] = cell
    path.write_text("\n".join("\t".join(cells) for cells in lines) + "\n")


def test_a_damaged_table_is_reported(tree: Path, tmp_path: Path):
    annotations = tree / "annotations_final.csv"
    text = annotations.read_text()
    for cell, (row, column), message in (
        ('"g/a.mp3"', (3, -1), r"row 3, mp3_path: 'g/a.mp3', expected a path such as f/NAME.mp3, in a folder 0 to f"),
        ('"9/artist_6-alb"', (9, -1), r"row 9, mp3_path: '9/artist_6-alb', expected a path .*"),
        ("two", (4, 0), r"row 4, clip_id: 'two', expected a number"),
        ("2", (5, 7), r"row 5, electronic: '2', expected 0 or 1"),
        ("", (5, 60), r"row 5, rare9: empty, expected 0 or 1"),
    ):
        change(annotations, *(row, column), cell)
        with pytest.raises(ManifestError, match=rf"annotations_final.csv: {message}; download the file again"):
            magnatagatune(root=tree, folder=tmp_path)
        annotations.write_text(text)
    annotations.write_text(text[: text.rindex('"0"\t"0"')])
    with pytest.raises(
        ManifestError, match=r"annotations_final.csv: row 9: 1\d\d cells, expected 190; it begins with '24"
    ):
        magnatagatune(root=tree, folder=tmp_path)
    annotations.write_text(text[:-6])
    with pytest.raises(ManifestError, match=r"row 9: a quotation mark is wrong, or the file is cut off"):
        magnatagatune(root=tree, folder=tmp_path)


def test_damaged_names_of_artists_are_only_reported(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    info = tree / "clip_info_final.csv"
    text = info.read_text()
    info.write_text(text + "25\t1\tTitle")
    frame = read_manifest(magnatagatune(root=tree, folder=tmp_path))
    assert frame["artist"].null_count() == 0, "one row is lost, and not the others"
    printed = capsys.readouterr().out
    assert (
        "1 row of clip_info_final.csv without 10 cells, not used; download the file again: row 10: '25, 1, Title'"
        in printed
    )
    for content, message in (
        (text.replace("artist", "band"), "clip_info_final.csv: has no column artist; download the file again"),
        ("", "clip_info_final.csv: has no column clip_id, artist, album, title; download the file again"),
    ):
        info.write_text(content)
        assert read_manifest(magnatagatune(root=tree, folder=tmp_path)).height == 6
        printed = capsys.readouterr().out
        assert message in printed and "artists are unknown" in printed


def test_titles_with_quotation_marks(tree: Path, tmp_path: Path):
    """Doubled as in CSV, escaped as by databases, or as they are."""
    info = tree / "clip_info_final.csv"
    written = {"Title 2": '"The ""Lark"""', "Title 6": r'"\"Lark\" Quartet"', "Title 11": '"The "Lark", I"'}
    for title, cell in written.items():
        info.write_text(info.read_text().replace(f"\t{title}\t", f"\t{cell}\t"))
    frame = read_manifest(magnatagatune(root=tree, folder=tmp_path))
    rows = {row["track_id"]: (row["artist"], row["title"]) for row in frame.to_dicts()}
    assert rows["2"] == ("Artist 2", 'The "Lark"')
    assert (rows["6"][0], rows["11"][0], rows["12"]) == ("Artist 6", "Artist 1", ("Artist 2", "Title 12"))
    assert "Lark" in rows["6"][1] and "Lark" in rows["11"][1]


def test_settings_are_checked(tree: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match=r"data.split=Clean: choose full or clean"):
        magnatagatune(root=tree, folder=tmp_path, split="Clean")
    with pytest.raises(ConfigError, match=r"data.tags=50: choose top50 or all"):
        magnatagatune(root=tree, folder=tmp_path, tags="50")


@pytest.mark.slow
def test_one_command_trains(tree: Path, train: Callable):
    printed = train("data=magnatagatune", f"data.root={tree}")
    assert "tags roc_auc" in printed and "expected 15,247 as published" in printed
    assert "tracks differ in duration from the manifest:" in printed and "mp3: 1.0 s instead of 29.1 s" in printed


def test_without_a_root_the_error_says_how_to_get_the_dataset(train: Callable):
    printed = train("data=magnatagatune", status=1)
    for part in ("data.root is not set", "about 3 GB", "CC BY-NC-SA 3.0", "docs/datasets.md#magnatagatune"):
        assert part in printed
