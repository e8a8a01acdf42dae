"""recommend.py as a user runs it, with networks of random weights: this tests the program, not the quality."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unicodedata import normalize

import mutagen
import numpy as np
import pytest
import soundfile
import torch
from hydra import compose, initialize_config_dir

from musicrec.audio.file_tags import FIELDS, read_tags
from musicrec.errors import AudioError, ConfigError, ExportError, LibraryError, ManifestError
from musicrec.export.folder import write_export
from musicrec.heads.classes import ClassHead
from musicrec.heads.key import KeyHead
from musicrec.heads.tags import TagHead
from musicrec.heads.tempo import TempoHead
from musicrec.interchange.collection import Collection, CollectionTrack
from musicrec.interchange.rekordbox import write_rekordbox
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.short_chunk_resnet import ShortChunkResNet
from musicrec.programs import recommend
from musicrec.programs.arguments import quote_paths
from musicrec.recommend import exports
from musicrec.recommend.sqlite_library import SqliteLibrary

# The limits of what a config may build are set by hydra.main; `compose` does not know them.
pytestmark = pytest.mark.filterwarnings("ignore:(?s).*_execution_whitelist_")

ROOT = Path(__file__).parents[2]
RATE = 16_000


def call(*overrides: str) -> None:
    """Run an action of the program without its error handling: errors are raised as they are."""
    with initialize_config_dir(str(ROOT / "conf")):
        quoted = quote_paths(overrides)
        cfg = compose("recommend", overrides=quoted)
    {"index": recommend.index, "query": recommend.query}[cfg.action](cfg)


def make_export(folder: Path, heads: list, *, seed: int) -> Path:
    torch.manual_seed(seed)
    sizes = {head.name: len(head.classes) for head in heads}
    network = ShortChunkResNet(sizes, n_mels=128, chunk_samples=16_384, width=4, dropout=0.5)
    return write_export(
        folder, network=network, heads=heads, frontend=MelSpectrogram(n_mels=128), metrics={}, data={"manifest": "none"}
    )


@pytest.fixture(scope="module")
def world(program: Callable, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two exports, eight tracks of tone and noise (one has a difficult name), and a file that is not audio."""
    folder = tmp_path_factory.mktemp("world")
    genre = ClassHead(name="genre", column="genre", role="tag", classes=("house", "jazz"))
    tags = make_export(folder / "tags", [genre, TagHead(name="instruments", classes=("drums", "flute"))], seed=1)
    features = make_export(folder / "features", [TempoHead(), KeyHead()], seed=2)
    generator = np.random.default_rng(3)
    music = folder / "music"
    music.mkdir()
    names = [f"track {i}" for i in range(7)] + ["Artist - Title, Part 1 (Extended Mix)"]
    for i, name in enumerate(names):
        tone = np.sin(2 * np.pi * 110 * 2 ** (i / 3) * np.arange(2 * RATE) / RATE)
        soundfile.write(music / f"{name}.wav", 0.3 * tone + generator.normal(0, 0.02 * i, 2 * RATE), RATE)
    (music / "letter.wav").write_text("dear DJ")
    library = folder / "library.sqlite"
    done = program(
        "recommend.py", "action=index", f"exports=[{tags},{features}]", f"source={music}", f"library={library}"
    )
    return {"folder": folder, "tags": tags, "features": features, "music": music, "library": library, "done": done}


def test_index_reports_what_it_did(world: dict):
    printed = world["done"].stdout
    assert "8 tracks (8 new, 1 unreadable)" in printed
    assert re.search(r"skipped .*letter\.wav: .+", printed)
    assert "9/9" not in world["done"].stderr, "no bar where there is no terminal"


def test_the_library_remembers_its_coverage(world: dict, tmp_path: Path):
    with SqliteLibrary.open(world["library"]) as library:
        assert library.analysis == {"coverage": exports.DEFAULT_COVERAGE}
    path = tmp_path / "own.sqlite"
    options = ["action=index", f"exports=[{world['tags']}]", f"library={path}", f"source={world['music']}"]
    call(*options, "coverage=0.5", "max_files=1")
    with SqliteLibrary.open(path) as library:
        assert library.analysis == {"coverage": 0.5}
    with pytest.raises(ConfigError, match=r"coverage=0\.4: .*own\.sqlite was made with coverage=0\.5"):
        call(*options, "coverage=0.4")


@pytest.mark.slow
def test_a_collection_of_another_computer(world: dict, tmp_path: Path, capsys):
    tracks = tuple(CollectionTrack(path=f"C:/My music/track {number}.wav", title=f"No. {number}") for number in (0, 1))
    source = write_rekordbox(tmp_path / "rekordbox.xml", Collection(tracks=tracks))
    named = f"exports=[{world['tags']},{world['features']}]"
    place = f'relocate=["C:/My music={world["music"]}"]'
    call("action=index", named, f"source={source}", f"library={tmp_path / 'l.sqlite'}", place)
    assert "2 tracks (2 new)" in capsys.readouterr().out
    call("action=query", "query=No. 0", f"library={tmp_path / 'l.sqlite'}", "format=json", "filter.match=any")
    assert [row["title"] for row in json.loads(capsys.readouterr().out)["results"]] == ["No. 1"]


@pytest.mark.slow
@pytest.mark.parametrize(("stored", "asked"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_query_with_accents_as_one_character_or_as_two(world: dict, tmp_path: Path, capsys, stored: str, asked: str):
    music, library = tmp_path / normalize(stored, "Café"), tmp_path / "library.sqlite"
    music.mkdir()
    for number, name in enumerate(("Zoë", "Dé")):
        shutil.copy(world["music"] / f"track {number}.wav", music / normalize(stored, f"{name}.wav"))
    rows = "".join(f"{number},{normalize(asked, f'Café/{name}.wav')}\n" for number, name in enumerate(("Zoë", "Dé")))
    (tmp_path / "table.csv").write_text(f"track_id,path\n{rows}", encoding="utf-8")
    named = f"exports=[{world['tags']},{world['features']}]"
    for source, count in ((tmp_path / "table.csv", 2), (tmp_path / normalize(asked, "Café"), 2)):
        call("action=index", named, f"source={source}", f"library={library}")
        assert f"{count} tracks" in capsys.readouterr().out
    for query in (normalize(asked, str(music / "Zoë.wav")), normalize(asked, "Zoë")):
        call("action=query", f"query={query}", f"library={library}", "format=json", "filter.match=any")
        answer = json.loads(capsys.readouterr().out)
        assert [row["path"] for row in answer["results"]] == [str(music / normalize(stored, "Dé.wav"))]


@pytest.mark.slow
def test_music_without_labels_can_be_indexed(world: dict, program: Callable, tmp_path: Path):
    """Files without tags or a table cannot be trained on; the message names the command that needs no labels."""
    music, library = world["music"], tmp_path / "own.sqlite"
    assert read_tags(map(str, music.glob("track*.wav"))).select(FIELDS[:-1]).null_count().sum_horizontal().item() == 49
    printed = program(
        "train.py", "data=folder", f"data.root={music}", f"paths.cache={tmp_path}", f"hydra.run.dir={tmp_path}/run",
        "debug=fast", status=1,
    ).stderr  # fmt: skip
    assert f"{music}: none of its 9 audio files has a label, so there is nothing to learn" in printed
    assert "Write tags with a tagger or DJ software, or give a table, data.labels=FILE.csv" in printed
    (command,) = re.findall(r"musicrec recommend (action=index) (source=\S+)", printed)
    call(*command, f"exports=[{world['tags']},{world['features']}]", f"library={library}")
    done = program("recommend.py", "action=query", "query=track 3", f"library={library}", "k=3", "format=json")
    assert len(json.loads(done.stdout)["results"]) == 3


def test_json_output_holds_nothing_else(program: Callable, world: dict):
    query = world["music"] / "Artist - Title, Part 1 (Extended Mix).wav"
    done = program(
        "recommend.py", "action=query", f"query={query}", "k=3", "format=json", f"library={world['library']}"
    )
    answer = json.loads(done.stdout)
    assert [row["rank"] for row in answer["results"]] == [1, 2, 3]
    assert str(query) not in [row["path"] for row in answer["results"]], "the query is not recommended to itself"
    scores = [row["score"] for row in answer["results"]]
    assert scores == sorted(scores, reverse=True) and all(-1 <= row["similarity"] <= 1 for row in answer["results"])
    weights = answer["similarity"]["weights"]
    assert weights == {
        "tempo": 1, "key": 1, "embedding": 4, "variation": 3, "energy": 2, "loudness": 2, "brightness": 2,
    }  # fmt: skip
    for row in answer["results"]:
        parts = row["similarity_by_block"]
        mean = sum(weights[name] * parts[name] for name in parts) / sum(weights[name] for name in parts)
        assert row["similarity"] == pytest.approx(mean, abs=1e-5)
        assert row["camelot"][-1] in "AB" and 30 <= row["bpm"] <= 300
    assert answer["query"]["tags"]["genre"][0]["probability"] >= 0.5
    assert answer["filter"]["steps"][-1]["tracks"] >= 3
    assert answer["library"]["tracks"] == 8


def test_the_table_of_a_file_that_is_not_in_the_library(program: Callable, world: dict, tmp_path: Path):
    generator = np.random.default_rng(9)
    soundfile.write(tmp_path / "mine.flac", generator.normal(0, 0.1, 3 * RATE), RATE)
    tags = mutagen.File(tmp_path / "mine.flac")
    tags["artist"], tags["title"] = "Ada", "Noise"
    tags.save()
    before = world["library"].read_bytes()
    done = program(
        "recommend.py", "action=query", f"query={tmp_path / 'mine.flac'}", f"library={world['library']}", "k=8"
    )
    assert world["library"].read_bytes() == before, "it is not added"
    for text in (
        "Ada – Noise  0:03",
        "genre",
        "BPM",
        "1 tags",
        "2 similarity  cosine over tempo, key, ",
        "track 0",
        "Extended",
    ):
        assert text in done.stdout
    assert len(re.findall(r"[+-]\d+\.\d %", done.stdout)) == 8


def test_a_mistake_is_one_message(program: Callable, world: dict):
    done = program(
        "recommend.py",
        "action=query",
        f"query={world['music'] / 'letter.wav'}",
        f"library={world['library']}",
        status=1,
    )
    assert done.stdout == "" and done.stderr.startswith("error: ") and len(done.stderr.splitlines()) == 1
    assert "letter.wav" in done.stderr


def test_help_shows_commands_and_settings(program: Callable):
    shown = program("recommend.py", "--help").stdout
    assert "action=index 'exports=[RUN/export,RUN/export]'" in shown and "metric: cosine" in shown


def test_debug_takes_a_few_files(world: dict, tmp_path: Path, capsys: pytest.CaptureFixture):
    many = tmp_path / "many"
    many.mkdir()
    for i in range(20):
        shutil.copy(world["music"] / "track 0.wav", many / f"copy {i}.wav")
    call("debug=fast", "action=index", f"exports={world['features']}", f"source={many}", f"library={tmp_path / 'l'}")
    assert "1 track (1 new, 15 copies of known tracks)" in capsys.readouterr().out


def test_a_track_of_the_library_by_its_name(world: dict, capsys: pytest.CaptureFixture):
    call("action=query", "query=track 3", f"library={world['library']}", "format=json",
         "weights.energy=0", "weights.loudness=0", "weights.onset_rate=1", "weights.embedding={tags: 2}")  # fmt: skip
    answer = json.loads(capsys.readouterr().out)
    assert answer["query"]["path"].endswith("track 3.wav")
    assert answer["similarity"]["weights"]["embedding.tags"] == 2
    assert set(answer["results"][0]["similarity_by_block"]) == {
        "tempo",
        "key",
        "brightness",
        "onset_rate",
        "embedding.tags",
        "variation",
    }
    assert "track 3" not in [row["track_id"] for row in answer["results"]]
    call("action=query", f"query={world['music'] / 'track 3.wav'}", f"library={world['library']}", "format=json")
    by_file = json.loads(capsys.readouterr().out)
    assert by_file["query"]["bpm"] == answer["query"]["bpm"]


def test_a_relaxed_filter_is_reported(world: dict, capsys: pytest.CaptureFixture):
    call("action=query", "query=track 3", f"library={world['library']}", "min_pool=100", "filter.match=all")
    printed = capsys.readouterr().out
    assert "fewer than 100" in printed and "relaxed: no filter: 7 of 8 tracks" in printed


@pytest.mark.slow
def test_exports_may_move_but_not_change(world: dict, tmp_path: Path, capsys: pytest.CaptureFixture):
    library, query = tmp_path / "l", tmp_path / "query.wav"
    soundfile.write(query, np.random.default_rng(5).normal(0, 0.1, 2 * RATE), RATE)
    tags, features = (Path(shutil.copytree(world[name], tmp_path / name)) for name in ("tags", "features"))
    call("action=index", f"exports=[{tags},{features}]", f"source={world['music']}", f"library={library}")
    ask = ("action=query", f"query={query}", f"library={library}", "k=1")
    moved = tags.rename(tmp_path / "moved")
    with pytest.raises(ExportError, match=r"tags, which no longer exists; .*exports="):
        call(*ask)
    call(*ask, f"exports=[{features},{moved}]")
    with pytest.raises(ExportError, match=r"made with 2 exports, not 1"):
        call(*ask, f"exports={moved}")
    call("action=index", f"exports=[{moved},{features}]", f"source={world['music']}", f"library={library}")
    call(*ask)
    config = moved / "config.json"
    config.write_text(config.read_text().replace('"licence": "unspecified"', '"licence": "other"'))
    with pytest.raises(ExportError, match=r"moved is not what .*/l was made with"):
        call(*ask)
    with pytest.raises(ExportError, match="index into a new library"):
        call("action=index", f"source={world['music']}", f"library={library}")


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["action=query", "query=track 1", "library={folder}/none"], LibraryError, "none: no such library"),
        (["action=query", "query=track 1", "library={music}/letter.wav"], LibraryError, "letter.wav is not a library"),
        (["action=query", "query=nope.mp3"], ConfigError, "nope.mp3: there is no such file, and no such track in"),
        (["action=query", "query={folder}"], AudioError, "is a folder"),
        (["action=query"], ConfigError, "query: name an audio file"),
        (["action=query", "query=caf\udce9.wav"], ConfigError, r"query=caf\\xe9.wav: this name is not UTF-8; rename"),
        (["action=query", "query=track 1", "k=0"], ConfigError, "k=0"),
        (["action=query", "query=track 1", "min_pool=0"], ConfigError, "min_pool=0"),
        (
            ["action=query", "query=track 1", "include_unreliable=2"],
            ConfigError,
            "include_unreliable=2: give true or false",
        ),
        (["action=query", "query=track 1", "format=xml"], ConfigError, "format=xml: choose table or json"),
        (["action=query", "query=track 1", "weights.metre=1"], ConfigError, "choose from: genre, instruments, tempo"),
        (
            ["action=query", "query=track 1", "library={folder}"],
            LibraryError,
            "is a folder; name the file of a library",
        ),
        (["action=index"], ConfigError, "source: name a folder"),
        (
            ["action=index", "source={music}", "max_files=-1"],
            ConfigError,
            "max_files=-1: give a whole number or null, 1 or more",
        ),
        (
            ["action=index", "source={folder}/tags", "library={folder}/new", "exports={tags}"],
            ManifestError,
            "no audio file below",
        ),
        (["action=index", "source={music}", "library={folder}/new", "exports={music}"], ExportError, "not an export"),
    ],
)
def test_mistakes_are_named(world: dict, overrides: list[str], error: type, message: str):
    given = [text.format(**world) for text in overrides]
    if not any(text.startswith("library=") for text in given):
        given.append(f"library={world['library']}")
    before = world["library"].read_bytes()
    try:
        with pytest.raises(error, match=message):
            call(*given)
    except Exception as raised:  # Hydra wraps the errors of what it instantiates; `guard.program` unwraps them
        assert isinstance(raised.__cause__, error) and re.search(message, str(raised.__cause__))
    assert world["library"].read_bytes() == before and not (world["folder"] / "new").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("samples", "remark"),
    [(np.zeros(2 * RATE), "the audio is silent (all samples are 0)"), (np.full(RATE // 2, 0.1), "lasts 0.50 s")],
)
def test_an_unreliable_query_gets_a_remark(world, tmp_path, capsys, samples, remark):
    soundfile.write(tmp_path / "poor.wav", samples, RATE)
    ask = ("action=query", f"query={tmp_path / 'poor.wav'}", f"library={world['library']}")
    call(*ask, "format=json")
    (given,) = json.loads(capsys.readouterr().out)["remarks"]
    assert remark in given
    call(*ask)
    assert remark in capsys.readouterr().out.replace("\n", " ")
    call("action=query", f"query={world['music'] / 'track 1.wav'}", f"library={world['library']}", "format=json")
    assert json.loads(capsys.readouterr().out)["remarks"] == []


@pytest.mark.slow
def test_silent_and_very_short_tracks_are_not_recommended_by_default(world, tmp_path, capsys):
    shutil.copytree(world["music"], tmp_path / "music")
    soundfile.write(tmp_path / "music" / "silence.wav", np.zeros(2 * RATE), RATE)
    soundfile.write(tmp_path / "music" / "click.wav", np.full(800, 0.5), RATE)
    library = f"library={tmp_path / 'l'}"
    call("action=index", f"exports=[{world['tags']},{world['features']}]", f"source={tmp_path / 'music'}", library)
    printed = capsys.readouterr().out
    assert "click.wav: the audio lasts 0.05 s" in printed and "silence.wav: the audio is silent" in printed
    assert "2 with a remark on their audio, 2 of them silent or very short: by default not recommended" in printed
    ask = ("action=query", "query=track 3", library, "k=20")
    call(*ask, "format=json")
    answer = json.loads(capsys.readouterr().out)
    assert len(answer["results"]) == 7 and answer["library"]["left_out"] == 2
    sentence = (
        "left out: 2 silent or very short tracks; --include-unreliable takes them in (include_unreliable=true of "
        "`musicrec recommend`)"
    )
    assert answer["remarks"] == [sentence]
    call(*ask)
    assert sentence in capsys.readouterr().out.replace("\n", " ")
    call(*ask, "format=json", "include_unreliable=true")
    answer = json.loads(capsys.readouterr().out)
    assert len(answer["results"]) == 9 and answer["library"]["left_out"] == 0 and answer["remarks"] == []
    assert {row["track_id"]: len(row["remarks"]) for row in answer["results"] if row["remarks"]} == {
        "click": 1,
        "silence": 1,
    }
    call(*ask, "include_unreliable=true")
    assert re.search(r"\d: the audio is silent", capsys.readouterr().out)
    call("action=query", "query=silence", library, "format=json")
    first, second = json.loads(capsys.readouterr().out)["remarks"]
    assert "the audio is silent" in first and second.startswith("left out: 1 silent or very short track;")


def test_a_bad_file_is_reported_before_the_models_are_loaded(world, monkeypatch):
    monkeypatch.setattr(exports, "load_analyzer", lambda *_, **__: pytest.fail("the models were loaded"))
    with pytest.raises(AudioError, match=r"letter\.wav"):
        call("action=query", f"query={world['music'] / 'letter.wav'}", f"library={world['library']}")


# Runs the program in a process of its own, and tells what it has imported.
LOADED = """
import sys
from musicrec.programs.launch import launch
heavy = {"matplotlib", "optuna", "polars", "pytorch_lightning", "scipy", "torch"}
try:
    launch("recommend", sys.argv[1:])
finally:
    print("loaded:", *sorted(heavy & sys.modules.keys()), file=sys.stderr)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["action=query", "query=track 1", "library={library}"], 0),
        (["action=query", "query={music}/track 1.wav", "library={library}"], 0),
        (["action=query", "query=nope.mp3", "library={library}"], 1),
        (["action=query", "query={music}/letter.wav", "library={library}"], 1),
        (["action=query", "query=track 1", "library={folder}/none"], 1),
        (["action=query", "query=track 1", "library={library}", "k=0"], 1),
        (["action=query", "query=track 1", "library={library}", "filter.top=many"], 1),
        (["action=ask"], 1),
    ],
)
def test_a_query_by_a_track_of_the_library_and_a_mistake_import_nothing_heavy(
    world: dict, arguments: list[str], status: int
):
    """What is not imported is what makes them fast: torch alone takes seconds."""
    given = [text.format(**world) for text in arguments]
    done = subprocess.run([sys.executable, "-c", LOADED, *given], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    assert done.stderr.splitlines()[-1].split() == ["loaded:"], "python -X importtime recommend.py … tells why"


def test_nothing_readable_is_an_error_and_leaves_no_library(world: dict, tmp_path: Path):
    (tmp_path / "bad.wav").write_text("no audio")
    (tmp_path / "l").touch()  # a first start that was killed leaves an empty file
    with pytest.raises(LibraryError, match="none of its files can be read, so nothing was indexed"):
        call("action=index", f"exports={world['tags']}", f"source={tmp_path}", f"library={tmp_path / 'l'}")
    assert not (tmp_path / "l").exists()
