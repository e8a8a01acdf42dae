"""How a query names a track of the library, and what is said if it does not."""

import dataclasses
from collections.abc import Iterator

import pytest

from musicrec.errors import ConfigError, LibraryError, ManifestError
from musicrec.recommend.query_track import find_track
from musicrec.recommend.recommender import Recommender
from musicrec.recommend.sqlite_library import SqliteLibrary
from tests.other_user import as_nobody


@pytest.fixture
def library(heads: dict, make_track, tmp_path) -> Iterator[SqliteLibrary]:
    with SqliteLibrary.create(
        tmp_path / "l.sqlite", exports=[], heads=list(heads.values()), embedding_size=4
    ) as opened:
        opened.add(
            [
                dataclasses.replace(make_track("01"), artist="Ada", title="Été"),
                dataclasses.replace(make_track("02"), artist="Bob", title="Night"),
                dataclasses.replace(make_track("03"), artist="Cy", title="Night"),
                dataclasses.replace(make_track("04"), title="02"),
                make_track("bare"),
            ]
        )
        yield opened


@pytest.mark.parametrize(
    ("query", "track_id"),
    [
        ("01", "01"),
        ("Été", "01"),
        ("E\u0301te\u0301", "01"),  # decomposed, as macOS writes it
        ("ada – été", "01"),
        ("Cy – Night", "03"),
        ("02", "02"),  # a track_id wins over a title
        ("BARE", "bare"),
    ],
)
def test_a_track_is_found_by_the_names_that_answers_show(library: SqliteLibrary, query: str, track_id: str):
    found = find_track(library, query)
    assert found is not None and found.track_id == track_id


def test_a_name_of_several_tracks_or_of_none_is_a_mistake(library: SqliteLibrary):
    with pytest.raises(ConfigError, match=r"2 tracks .* name; name the file: /music/02.wav, /music/03.wav"):
        find_track(library, "night")
    with pytest.raises(
        ConfigError, match=r"no such file, and no such track in .*; did you mean Bob – Night or Cy – Night\?"
    ):
        find_track(library, "bob - nigt")
    with pytest.raises(
        ConfigError, match=r"no such track in .*l\.sqlite; `musicrec export tracks.csv --all` lists its tracks"
    ):
        find_track(library, "quite another name")


def test_paths_that_are_too_long_are_mistakes_as_any_other(tmp_path, monkeypatch):
    monkeypatch.setenv("MUSICREC_MODELS", str(tmp_path / "models"))
    long = tmp_path / ("a" * 300)
    with pytest.raises(ManifestError, match="there is no such folder, playlist, collection or manifest"):
        Recommender.open(tmp_path / "l.sqlite").index(long)
    (tmp_path / "Music").mkdir()
    with pytest.raises(ManifestError, match=r"did you mean .*/Music\?"):
        Recommender.open(tmp_path / "l.sqlite").index(tmp_path / "Musik")
    with pytest.raises(LibraryError, match="no such library"):
        SqliteLibrary.open(long)
    for path in (long, long / "l.sqlite"):
        with pytest.raises(LibraryError, match=r"cannot be .*; name the file of a library"):
            SqliteLibrary.create(path, exports=[], heads=[], embedding_size=0)


def test_a_folder_that_may_not_be_opened_is_said(library: SqliteLibrary, tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir()
    (folder / "a.wav").write_bytes(b"")
    tmp_path.chmod(0o755)
    folder.chmod(0)
    try:
        with as_nobody(), pytest.raises(ConfigError, match=r"closed/a.wav: a folder .* permission denied; change its"):
            find_track(library, str(folder / "a.wav"))
    finally:
        folder.chmod(0o755)
