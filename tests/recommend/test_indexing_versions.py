"""Other encodings of a recording: noticed when they are indexed, recommended once, and recognised in a query."""

from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from musicrec.audio.decode import decode_track
from musicrec.data.synthetic.instruments import render
from musicrec.data.synthetic.plan import plan_tracks
from musicrec.recommend.query_track import analyze_file
from musicrec.recommend.recommender import Recommender
from musicrec.recommend.report_texts import index_text
from musicrec.recommend.sqlite_library import SqliteLibrary
from tests.counting_analyzer import RATE, CountingAnalyzer

MUSIC_RATE = 22_050


@pytest.fixture(scope="module")
def encodings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two compositions as FLAC, and the first one as Ogg Vorbis, too; outside of them, the first one as MP3."""
    folder = tmp_path_factory.mktemp("encodings")
    (folder / "music").mkdir()
    for name, plan in zip(("one", "two"), plan_tracks(tracks=40, seed=3)[::20], strict=True):
        audio = render(plan, duration_s=25, sample_rate=MUSIC_RATE)[0]
        soundfile.write(folder / "music" / f"{name}.flac", audio, MUSIC_RATE)
        if name == "one":
            soundfile.write(folder / "music" / "one.ogg", audio, MUSIC_RATE)
            soundfile.write(folder / "other.mp3", audio[3000:], MUSIC_RATE)
    return folder


@pytest.fixture
def indexed(run: Callable, library: SqliteLibrary, encodings: Path) -> SqliteLibrary:
    done, calls = run(encodings / "music")
    assert (done.added, done.versions, calls) == (3, 1, 3)
    assert "1 of them is another encoding or remaster of a track of the library" in str(index_text(done, library="l"))
    return library


def test_versions_are_marked_and_known_by_the_next_run(run: Callable, indexed: SqliteLibrary, encodings: Path):
    one, same, two = indexed.present().versions.tolist()  # one.flac, one.ogg, two.flac
    assert one == same >= 0 and two == -1
    assert run(encodings / "music")[1] == 0
    audio, rate = soundfile.read(encodings / "music" / "one.flac")
    soundfile.write(encodings / "music" / "zz.wav", audio * 0.3, rate, subtype="PCM_24")
    try:
        done, _ = run(encodings / "music")
        assert done.versions == 1 and indexed.present().versions.tolist()[-1] == one
    finally:
        (encodings / "music" / "zz.wav").unlink()


def test_the_first_version_may_be_pruned(indexed: SqliteLibrary, encodings: Path, run: Callable):
    indexed._connection.execute("UPDATE recordings SET version_of = 'gone' WHERE version_of IS NOT NULL")
    indexed._connection.execute(
        "UPDATE recordings SET version_of = 'gone' WHERE audio_hash = (SELECT audio_hash FROM files WHERE path LIKE ?)",
        ("%one.flac",),
    )
    one, same, two = indexed.present().versions.tolist()
    assert one == same >= 0 and two == -1


def test_a_version_is_not_recommended_for_another(indexed: SqliteLibrary):
    with Recommender.open(indexed.path) as recommender:
        assert [row["track_id"] for row in recommender.query("one.flac").results] == ["two"]
        found = [row["track_id"] for row in recommender.query("two").results]
        assert found in (["one.flac"], ["one.ogg"])


def test_a_file_that_the_library_has_in_another_encoding(indexed: SqliteLibrary, encodings: Path, heads: dict):
    analyzer = CountingAnalyzer(heads)
    asked = analyze_file(str(encodings / "other.mp3"), sample_rate=RATE, analyze=analyzer.analyze, library=indexed)
    (first,) = indexed.find(path=str(encodings / "music" / "one.flac"))
    assert asked.version_of == first.audio_hash
    assert [remark.text for remark in asked.remarks] == [
        "the library has this recording already, in another encoding: one.flac"
    ]
    assert decode_track(encodings / "other.mp3", sample_rate=RATE).waveform.size
