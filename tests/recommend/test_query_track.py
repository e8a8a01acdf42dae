"""How a query names a track of the library, and what is said if it does not."""

import dataclasses
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from rich.console import Console

from musicrec.audio.decode import Decoded, decode_track
from musicrec.errors import AudioError, ConfigError, LibraryError, ManifestError
from musicrec.export.passages import Passages
from musicrec.export.track_analysis import TrackAnalysis
from musicrec.recommend.answer_table import as_table
from musicrec.recommend.library_models import LibraryModels
from musicrec.recommend.query_track import analyze_file, find_track
from musicrec.recommend.recommender import Recommender
from musicrec.recommend.sqlite_library import SqliteLibrary
from musicrec.recommend.track import audio_hash
from tests.counting_analyzer import RATE, CountingAnalyzer
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


class Listener(CountingAnalyzer):
    """Remembers how long what it analyses is, and hears one passage in the first 5 s."""

    def analyze(self, decoded: Decoded) -> TrackAnalysis:
        self.heard_s = len(decoded.waveform) / RATE
        passages = Passages(values=np.ones((1, 3), np.float32), start_s=np.float32([0]), end_s=np.float32([5]))
        return dataclasses.replace(super().analyze(decoded), passages=passages)


@pytest.mark.parametrize(("at_s", "from_s"), [(0, 0), (12.5, 12.5), (20, 15), (44, 15)])
def test_a_part_of_a_file(library: SqliteLibrary, heads: dict, tmp_path: Path, at_s: float, from_s: float):
    waveform = np.random.default_rng(0).uniform(-0.5, 0.5, 45 * RATE)
    soundfile.write(tmp_path / "mix.wav", waveform, RATE)
    listener = Listener(heads)
    settings = {"sample_rate": RATE, "analyze": listener.analyze, "library": library}
    track = analyze_file(str(tmp_path / "mix.wav"), **settings, at_s=at_s)
    assert listener.heard_s == track.duration_s == 30 and track.from_s == from_s
    assert any("the part begins at 0:15" in remark.text for remark in track.remarks) == (from_s < at_s)
    assert track.passages.start_s.tolist() == [from_s] and track.passages.end_s.tolist() == [from_s + 5]
    assert track.version_of is None
    digest = audio_hash(decode_track(tmp_path / "mix.wav", sample_rate=RATE).waveform)
    library.add([dataclasses.replace(track, audio_hash=digest, path="/music/mix.wav", track_id="mix", size=1)])
    again = analyze_file(str(tmp_path / "mix.wav"), **settings, at_s=at_s)
    assert again.version_of == digest, "the answer is not to be the file that is asked about"
    assert not any("another encoding" in remark.text for remark in again.remarks)


def test_a_place_after_the_end(library: SqliteLibrary, heads: dict, tmp_path: Path):
    soundfile.write(tmp_path / "short.wav", np.full(10 * RATE, 0.1), RATE)
    with pytest.raises(AudioError, match=r"short\.wav: it ends at 0:10, before 1:15"):
        analyze_file(
            str(tmp_path / "short.wav"),
            sample_rate=RATE,
            analyze=Listener(heads).analyze,
            library=library,
            at_s=75,
        )


def test_a_place_is_in_one_track(library: SqliteLibrary):
    with Recommender.open(library.path) as recommender:
        for settings in ({"track": ["01", "02"]}, {"track": "01", "towards": "02"}):
            with pytest.raises(ConfigError, match="at_s=3: this is a place in one track"):
                recommender.query(**settings, at_s=3)
        with pytest.raises(ConfigError, match="at_s=-1: give a number or null, 0 or more"):
            recommender.query("01", at_s=-1)


def test_a_part_of_a_track_keeps_what_the_library_knows(library: SqliteLibrary, monkeypatch: pytest.MonkeyPatch):
    """The artist may stand in a manifest, and the file has no tags; "not_artist same" is then still about Ada."""
    (whole,) = library.find(track_id="01")
    of_file = {
        "from_s": 1.5,
        "track_id": "file",
        "artist": None,
        "title": None,
        "audio_hash": "part",
        "version_of": whole.audio_hash,
    }
    monkeypatch.setattr(LibraryModels, "analyze_file", lambda *_, **__: dataclasses.replace(whole, **of_file))
    with Recommender.open(library.path) as recommender:
        asked = recommender.query("01", at_s=3, k=9)
    assert (asked.query["artist"], asked.query["title"], asked.query["track_id"]) == ("Ada", "Été", "01")
    assert asked.query["at_s"] == 1.5, "where the part begins, which is earlier near the end of a file"
    text = Console(file=io.StringIO(), width=100)
    text.print(as_table(asked, width=100))
    assert "from 0:01" in text.file.getvalue()
    assert "01" not in [row["track_id"] for row in asked.results]
