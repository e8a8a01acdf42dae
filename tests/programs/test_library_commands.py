"""`musicrec index` and `musicrec query` as a user runs them, with networks of random weights and no names of models.

The default set is made of small networks that take the places of the models that ship and that are fetched.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from musicrec.export import catalogue
from musicrec.export.folder import write_export
from musicrec.heads.key import KeyHead
from musicrec.heads.tags import TagHead
from musicrec.heads.tempo import TempoHead
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.short_chunk_resnet import ShortChunkResNet
from musicrec.programs import library_commands
from musicrec.programs.command import main
from musicrec.recommend import stores
from musicrec.recommend.sqlite_library import SqliteLibrary

ROOT = Path(__file__).parents[2]
RATE = 16_000
HEADS = {
    "tempo": TempoHead(),
    "key": KeyHead(),
    "musicnn_mtt": TagHead(name="tags_mtt", classes=("guitar", "techno", "female", "woman", "no vocals")),
}


def make_export(folder: Path, name: str, *, seed: int = 0) -> Path:
    head = HEADS[name]
    torch.manual_seed(seed + len(name))
    network = ShortChunkResNet({head.name: len(head.classes)}, n_mels=128, chunk_samples=16_384, width=4, dropout=0.5)
    return write_export(
        folder / name, network=network, heads=[head], frontend=MelSpectrogram(n_mels=128), metrics={}, data={}
    )


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One export per model, and five tracks of tone and noise."""
    folder = tmp_path_factory.mktemp("originals")
    for name in HEADS:
        make_export(folder / "exports", name)
    generator = np.random.default_rng(3)
    (folder / "music").mkdir()
    for i in range(5):
        tone = np.sin(2 * np.pi * 110 * 2 ** (i / 3) * np.arange(2 * RATE) / RATE)
        soundfile.write(folder / "music" / f"track {i}.wav", 0.3 * tone + generator.normal(0, 0.02, 2 * RATE), RATE)
    return folder


@pytest.fixture
def machine(originals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which musicrec was just installed, with the models that ship and with music."""
    monkeypatch.setattr(catalogue, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setenv("MUSICREC_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("MUSICREC_LIBRARY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("tempo", "key"):
        shutil.copytree(originals / "exports" / name, tmp_path / "shipped" / name)
    shutil.copytree(originals / "music", tmp_path / "Music")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fetch(originals: Path, machine: Path) -> None:
    shutil.copytree(originals / "exports" / "musicnn_mtt", machine / "models" / "musicnn_mtt")


def run(capsys: pytest.CaptureFixture, *arguments: str, status: int = 0) -> tuple[str, str]:
    """Run the command in this process; return what it printed, with line breaks as spaces, and its errors."""
    try:
        main([*arguments])
    except SystemExit as end:
        assert int(end.code or 0) == status
    printed = capsys.readouterr()
    return " ".join(printed.out.split()), " ".join(printed.err.split())


@pytest.mark.slow
def test_without_a_tagger_it_works_and_says_how_to_get_one(originals, machine, capsys):
    printed, _ = run(capsys, "index", "~/Music")
    library = machine / "data" / "musicrec" / "library.sqlite"
    assert "5 tracks (5 new)" in printed and str(library) in printed
    skipped = "so the first step (tags) is skipped; for tags, run `musicrec models get musicnn`"
    assert skipped in printed
    printed, _ = run(capsys, "query", "Music/track 2.wav", "-k", "3")
    assert "library.sqlite, 5 tracks" in printed and skipped in printed and "tempo, key" in printed
    assert "no model predicts tags: no filter, 4 tracks" in printed

    fetch(originals, machine)
    printed, _ = run(capsys, "query", "track 2")
    hint = "this library uses only tempo, key; to use musicnn_mtt as well, index into another file (--library FILE)"
    assert hint in " ".join(printed.split())
    printed, _ = run(capsys, "index", "~/Music")
    assert hint in " ".join(printed.split()) and "5 unchanged" in printed, "a hint, not an error"

    library.unlink()
    printed, _ = run(capsys, "index", "~/Music")
    assert "5 new" in printed and "uses only" not in printed
    with SqliteLibrary.open(library) as opened:
        assert [(e.name, Path(e.path).parent.name) for e in opened.exports] == [
            ("tempo", "shipped"), ("key", "shipped"), ("musicnn_mtt", "models")
        ]  # fmt: skip


@pytest.mark.slow
def test_the_whole_answer_as_json_and_as_a_table(originals, machine, capsys):
    fetch(originals, machine)
    run(capsys, "index", "~/Music", "--library", "mine.sqlite")
    shutil.move("Music/track 1.wav", "new.wav")
    main_answer, _ = run(capsys, "query", "new.wav", "--library", "mine.sqlite", "--json", "-k", "2")
    answer = json.loads(main_answer)
    query, (first, _second) = answer["query"], answer["results"]
    assert [tag["tag"] for tag in sorted(query["tags"]["tags_mtt"], key=lambda tag: -tag["probability"])] == [
        tag["tag"] for tag in query["tags"]["tags_mtt"]
    ]
    assert len(query["tags"]["tags_mtt"]) == 5, "all tags as the tagger said them"
    assert set(query["tag_groups"]) == {"genre", "instruments", "voice"}
    assert set(query["from_tags"]) == {"acousticness", "instrumentalness", "vocals"}, "the rest needs other tags"
    for descriptor in ("energy", "loudness", "brightness", "onset_rate"):
        assert descriptor in query["descriptors"] and descriptor in first["descriptors"]
    assert 1 <= first["descriptors"]["energy"] <= 10
    for tag in answer["filter"]["tags"]:
        assert tag["name"] in ("guitar", "techno", "female voice", "instrumental")
    printed, _ = run(capsys, "query", "new.wav", "--library", "mine.sqlite")
    for text in ("genre", "energy", "of 10", "loudness", "LUFS", "from tags", "instrumentalness", "similarity"):
        assert text in printed
    printed, _ = run(capsys, "query", "new.wav", "--library", "mine.sqlite", "--at", "0:01")
    for text in ("track 1 0:02 from 0:00", "passages against passages", "its 0:00–0:02 fits 0:00–0:02 of the query"):
        assert text in " ".join(printed.split())
    main_answer, _ = run(capsys, "query", "track 2", "--library", "mine.sqlite", "--json", "--follow")
    answer = json.loads(main_answer)
    assert (answer["query"]["at_s"], answer["similarity"]["passage"]) == (None, "outro_to_intro")
    passage = answer["results"][0]["passage"]
    assert passage["query_s"] == passage["track_s"] == [0, 2] and -1 <= passage["similarity"] <= 1
    _, error = run(capsys, "query", "track 2", "--follow", "--passage", "best", "--library", "mine.sqlite", status=1)
    assert "--passage best: leave out --follow" in error


@pytest.mark.slow
def test_models_are_found_again_by_name_and_changed_weights_are_named(originals, machine, capsys):
    run(capsys, "index", "~/Music")
    soundfile.write("new.wav", np.random.default_rng(5).normal(0, 0.1, 2 * RATE), RATE)
    (machine / "shipped").rename(machine / "elsewhere")  # as with a new environment
    catalogue.SHIPPED = machine / "elsewhere"  # undone by the fixture
    run(capsys, "query", "new.wav")
    shutil.rmtree(machine / "elsewhere" / "tempo")
    make_export(machine / "elsewhere", "tempo", seed=7)  # as with a new version
    _, error = run(capsys, "query", "new.wav", status=1)
    assert error.startswith("error: the model tempo has other weights now") and "index again" in error
    run(capsys, "query", "track 1")  # needs no model
    _, error = run(capsys, "index", "Music", status=1)
    assert "the model tempo has other weights now" in error


def test_mistakes_are_named(machine, capsys, monkeypatch):
    library = machine / "data" / "musicrec" / "library.sqlite"
    assert (
        f"{library}: no such library; create one with `musicrec index FOLDER`" in run(capsys, "query", "a", status=1)[1]
    )
    assert (
        "run `musicrec models get musicnn_mtt`"
        in run(capsys, "index", "Music", "--models", "tempo,musicnn_mtt", status=1)[1]
    )
    assert "no model has this name" in run(capsys, "index", "Music", "--models", "tempoo", status=1)[1]
    assert "nowhere" in run(capsys, "index", "nowhere", status=1)[1]
    assert "relocate=C:/Music: write OLD=NEW" in run(capsys, "index", "Music", "--relocate", "C:/Music", status=1)[1]
    assert "Music is no collection" in run(capsys, "index", "Music", "--relocate", "C:/Music=x", status=1)[1]
    monkeypatch.setattr(catalogue, "SHIPPED", machine / "none")
    assert "no model ships with this version" in run(capsys, "index", "Music", status=1)[1]
    assert not library.exists()


def test_help_teaches(capsys):
    printed, _ = run(capsys, "index", "--help")
    assert "musicrec index ~/Music" in printed and "musicrec models get musicnn" in printed
    printed, _ = run(capsys, "query", "--help")
    assert "musicrec query new_track.mp3 --preset mix -k 30" in printed and "--json" in printed


def test_the_place_of_the_library(machine, monkeypatch):
    assert stores.default_library() == machine / "data" / "musicrec" / "library.sqlite"
    monkeypatch.setenv("MUSICREC_LIBRARY", "~/l.sqlite")
    assert stores.default_library() == machine / "l.sqlite"


LOADED = """
import sys
from musicrec.programs import library_commands
from musicrec.programs.command import main
heavy = {"matplotlib", "optuna", "polars", "pytorch_lightning", "scipy", "torch"}
try:
    main(sys.argv[1:])
finally:
    print("loaded:", *sorted(heavy & sys.modules.keys()), file=sys.stderr)
"""


@pytest.mark.slow
def test_a_query_by_a_track_of_the_library_imports_nothing_heavy(machine, capsys):
    run(capsys, "index", "Music")
    for query in ("track 1", "Music/track 1.wav"):
        done = subprocess.run(
            [sys.executable, "-c", LOADED, "query", query],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert re.search(r"^loaded:$", done.stderr, re.M), done.stderr


@pytest.mark.parametrize(
    ("asked", "variable", "expected"),
    [("auto", None, "fastest"), ("auto", "torch", "auto"), ("torch", None, "torch"), ("openvino", "torch", "openvino")],
)
def test_indexing_takes_the_fastest_engine_unless_another_is_named(monkeypatch, tmp_path, asked, variable, expected):
    monkeypatch.delenv("MUSICREC_ENGINE", raising=False)
    if variable:
        monkeypatch.setenv("MUSICREC_ENGINE", variable)
    opened = []

    def note(*_: object, engine: str, **__: object) -> None:
        opened.append(engine)
        raise InterruptedError

    monkeypatch.setattr(library_commands.Recommender, "open", note)
    with pytest.raises(InterruptedError):
        library_commands.index(tmp_path, library=None, engine=asked)
    assert opened == [expected]
