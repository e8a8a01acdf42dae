"""recommend.py action=evaluate and action=listen as a user runs them, on a small library."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from musicrec.export.folder import write_export
from musicrec.heads.classes import ClassHead
from musicrec.heads.key import KeyHead
from musicrec.heads.tags import TagHead
from musicrec.heads.tempo import TempoHead
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.short_chunk_resnet import ShortChunkResNet

RATE = 16_000
HEADS = [
    ClassHead(name="genre", column="genre", role="tag", classes=("house", "jazz")),
    TagHead(name="instruments", classes=("drums", "flute")),
    TempoHead(),
    KeyHead(),
]


@pytest.fixture(scope="module")
def world(program: Callable, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A library of twelve tracks by four artists, made with a network of random weights, and a table of labels."""
    folder = tmp_path_factory.mktemp("evaluation")
    torch.manual_seed(1)
    sizes = {head.name: len(head.classes) for head in HEADS}
    network = ShortChunkResNet(sizes, n_mels=128, chunk_samples=16_384, width=4, dropout=0.5)
    export = write_export(
        folder / "model", network=network, heads=HEADS, frontend=MelSpectrogram(n_mels=128), metrics={}, data={}
    )
    generator = np.random.default_rng(3)
    rows = ["track_id,path,artist,genre,instruments,bpm,key,mode"]
    for number in range(12):
        tone = np.sin(2 * np.pi * 110 * 2 ** (number / 6) * np.arange(2 * RATE) / RATE)
        samples = 0.3 * tone + generator.normal(0, 0.02 * (number % 4), 2 * RATE)
        soundfile.write(folder / f"{number}.wav", samples, RATE)
        artist, genre = f"artist {number % 4}", ("house", "jazz")[number % 2]
        rows.append(f"t{number},{folder}/{number}.wav,{artist},{genre},drums,{120 + number / 2},A,minor")
    table = folder / "manifest.csv"
    table.write_text("\n".join(rows) + "\n")
    library = folder / "library.sqlite"
    program("recommend.py", "action=index", f"exports=[{export}]", f"source={table}", f"library={library}")
    return {"library": library, "table": table}


@pytest.fixture
def evaluate(program: Callable, world: dict, tmp_path: Path) -> Callable:
    def run(*more: str, status: int = 0):
        own = (f"library={world['library']}", f"evaluate.folder={tmp_path}", f"paths.cache={tmp_path}/cache")
        small = ("evaluate.k=3", "evaluate.label_k=2", "evaluate.bootstrap.resamples=100")
        return program("recommend.py", "action=evaluate", *own, *small, *more, status=status)

    return run


@pytest.mark.slow
def test_everything_is_measured_written_and_logged(world: dict, evaluate: Callable, tmp_path: Path):
    done = evaluate(f"evaluate.labels={world['table']}", "evaluate.mfcc=true", "evaluate.changed=2",
                    "evaluate.playlists=artist", "evaluate.least_playlist=3", "logger=csv")  # fmt: skip
    with open(tmp_path / "scores.csv", newline="") as file:
        scores = {(row["ranking"], row["measure"]): row for row in csv.DictReader(file)}
    rankings, measures = ({key[place] for key in scores} for place in (0, 1))
    assert rankings >= {
        "query", "random", "same genre", "MFCC", "two steps before", "two steps by features", "block embedding",
        "block tempo", "query without tags first", "preset mix", "preset inspire", "preset explore", "mix without hubs",
        "mix without filters", "explore without diversity",
    }  # fmt: skip
    assert measures == {
        "genre_precision", "tag_ndcg", "same_label", "tempo", "key", "tempo_and_key", "energy_error", "query_tags",
        "near_features", "tags_and_features", "hub_skewness", "coverage", "gini", "diversity", "other_artist",
        "kept_mp3", "kept_pitch", "kept_tempo", "length", "playlist_recall", "playlist_r_precision", "playlist_ndcg",
    }  # fmt: skip
    assert scores["random", "tempo"]["value"] == "1.0"  # by the labels, all are within 6 %
    assert scores["query", "kept_mp3"]["queries"] == "2" and scores["query", "tempo"]["queries"] == "12"
    document = json.loads((tmp_path / "evaluation.json").read_text())
    assert document["about"]["sources"] == {"tempo": "labels", "key": "labels", "energy": "the descriptor"}
    assert document["about"]["models"] == ["model"]
    assert (tmp_path / "evaluation.png").stat().st_size > 10_000
    logged = (tmp_path / "metrics.csv").read_text()
    assert "query/genre_precision" in logged
    assert "query − random, tempo fits" in done.stdout and f"report: {tmp_path}" in done.stdout


def test_a_query_has_the_settings_of_the_command(evaluate: Callable, tmp_path: Path):
    chosen = ["evaluate.rankings=[query,preset mix]", "evaluate.presets=true", "evaluate.references=[query]"]
    values = []
    for more in (["preset=mix"], ["preset=mix", "weights.brightness=50"]):
        evaluate(*chosen, *more)
        with open(tmp_path / "scores.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        values.append([[row["value"] for row in rows if row["ranking"] == name] for name in ("query", "preset mix")])
    assert values[0][0] == values[0][1] == values[1][1] != values[1][0]
    evaluate("evaluate.presets=false", "evaluate.parts=false", "evaluate.blocks=false", "evaluate.queries=3")
    with open(tmp_path / "scores.csv", newline="") as file:
        found = {row["ranking"] for row in csv.DictReader(file)}
    assert found == {"query", "random", "same genre", "two steps by features", "two steps before"}


def test_rankings_can_be_chosen(evaluate: Callable, tmp_path: Path):
    done = evaluate("evaluate.rankings=[random,same genre]", "evaluate.references=[random]", "evaluate.queries=5")
    assert "| random" in done.stdout and "block tempo" not in done.stdout
    with open(tmp_path / "differences.csv", newline="") as file:
        assert {row["other"] for row in csv.DictReader(file)} == {"same genre"}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("evaluate.rankings=[randon]", "evaluate.rankings=['randon']: choose"),
        ("evaluate.k=0", "evaluate.k=0"),
        ("evaluate.changes=[reverb]", "evaluate.changes=['reverb']: choose"),
        ("evaluate.playlists=folder", "evaluate.playlists=folder"),
        ("evaluate.label=mood", "evaluate.label=mood"),
        ("evaluate.labels=/none.csv", "/none.csv: no such manifest"),
        ("evaluate.bootstrap.resamples=3", "bootstrap.resamples=3"),
    ],
)
def test_mistakes_are_named(evaluate: Callable, setting: str, message: str):
    assert message in " ".join(evaluate(setting, status=1).stderr.split())


def test_a_listening_test_is_written_and_read(program: Callable, world: dict, tmp_path: Path):
    folder = [f"library={world['library']}", f"listen.folder={tmp_path}"]
    short = ["listen.trials=3", "listen.excerpt_s=1", "listen.rankings=[query,random]"]
    printed = program("recommend.py", "action=listen", *folder, *short).stdout
    assert "page for the raters" in printed and "3 comparisons; " in printed
    key = json.loads((tmp_path / "key.json").read_text())
    for rater, choice in {"ann": "a", "bob": "b"}.items():
        answers = [{"trial": trial["id"], "choice": choice} for trial in key["trials"]]
        content = {
            "format": "musicrec listening test answers 1",
            "test": key["test"],
            "rater": rater,
            "answers": answers,
        }
        (tmp_path / f"{rater}.json").write_text(json.dumps(content))
    pytest.importorskip("nltk", reason="nltk is not installed; pip install 'musicrec[listen]'")
    read = f"listen.answers=[{tmp_path}/ann.json,{tmp_path}/bob.json]"
    printed = program("recommend.py", "action=listen", read, f"listen.key={tmp_path}/key.json").stdout
    assert "rater ann" in printed and "share of decided answers 0.500" in printed
    assert "(Krippendorff's alpha): -" in printed  # they never agree
    for wrong, message in (("[query]", "name two of"), ("[query,no]", "choose one or more of query, query without")):
        done = program("recommend.py", "action=listen", *folder, f"listen.rankings={wrong}", status=1)
        assert message in " ".join(done.stderr.split())
