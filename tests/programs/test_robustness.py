"""robustness.py as a user runs it, on small untrained networks."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import torch
from PIL import Image

from musicrec.data.datamodule import MusicDataModule
from musicrec.data.manifest import read_manifest, write_manifest
from musicrec.export.folder import write_export
from musicrec.heads.beats import BeatHead
from musicrec.heads.classes import ClassHead
from musicrec.heads.key import KeyHead
from musicrec.heads.tags import TagHead
from musicrec.heads.tempo import TempoHead
from musicrec.models.beat_net import BeatNet
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.short_chunk_resnet import ShortChunkResNet
from musicrec.robustness.inference import TrackInference

CHOICES = [
    "deformation=[pitch_shift,time_stretch,mp3,polarity]",
    "deformation.pitch_shift.strengths=[-1,2]",
    "deformation.time_stretch.strengths=[0.8]",
    "deformation.mp3.strengths=[16]",
    "bootstrap.resamples=100",
    "measurement.workers=0",
    "recommender.k=2",
]
TABLES = ("metrics", "models", "moved", "classes", "ranking", "recommendations", "seconds")
PRIMARY = {"genre": "accuracy", "instruments": "roc_auc", "tempo": "acc1", "key": "accuracy"}
BRIEF = [
    "deformation=[polarity,gain]",
    "deformation.gain.strengths=[-10]",
    "bootstrap=null",
    "measurement.workers=0",
    "recommender=null",
    "figures=false",
    "logger=csv",
]


@pytest.fixture(scope="module")
def music(tiny_music: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return ["data=manifest", f"data.manifest={tiny_music}", f"paths.cache={tmp_path_factory.mktemp('cache')}"]


@pytest.fixture(scope="module")
def exports(tiny_music: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Exports of four networks.

    "tags" predicts genre and instruments, "features" genre, tempo and key, "low" takes another sample rate, and "mood"
    predicts a label that no manifest has.
    """
    folder, train = tmp_path_factory.mktemp("exports"), read_manifest(tiny_music)
    genre = ClassHead(name="genre", column="genre", role="tag").fit(train)
    instruments = TagHead(name="instruments", columns=("instruments",)).fit(train)
    mood = TagHead(name="mood", columns=("tags",), classes=("calm", "wild"))
    models = {
        "tags": ([genre, instruments], 16_000),
        "features": ([genre, TempoHead(), KeyHead()], 16_000),
        "low": ([KeyHead()], 8_000),
        "mood": ([mood], 16_000),
    }
    for seed, (name, (heads, sample_rate)) in enumerate(models.items()):
        torch.manual_seed(seed)
        network = ShortChunkResNet(
            {head.name: len(head.classes) for head in heads}, n_mels=128, chunk_samples=33_000, width=4, dropout=0.0
        )
        frontend = MelSpectrogram(n_mels=128, sample_rate=sample_rate, f_max=sample_rate / 2)
        write_export(folder / name, network=network.eval(), heads=heads, frontend=frontend, metrics={}, data={})
    return {name: folder / name for name in models}


@pytest.fixture(scope="module")
def reported(
    program: Callable, exports: dict[str, Path], music: list[str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """The folder of a report on two models, and the output."""
    folder = tmp_path_factory.mktemp("reported")
    done = program(
        "robustness.py",
        f"export=[{exports['tags']},{exports['features']}]",
        *music,
        *CHOICES,
        f"hydra.run.dir={folder}",
    )
    return folder, done.stdout


@pytest.mark.slow
def test_a_folder_of_audio_files(program: Callable, exports: dict[str, Path], tiny_music: Path, tmp_path: Path):
    labels = pl.read_csv(tiny_music).with_columns(pl.col("path").str.strip_prefix("audio/"))
    labels.write_csv(tmp_path / "labels.csv")
    own = ["data=folder", f"data.root={tiny_music.parent / 'audio'}", f"data.labels={tmp_path / 'labels.csv'}"]
    done = program(
        "robustness.py",
        f"export={exports['features']}",
        *own,
        *BRIEF,
        f"paths.cache={tmp_path / 'cache'}",
        f"hydra.run.dir={tmp_path / 'report'}",
    )
    assert "polarity" in done.stdout


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_report_is_complete(reported: tuple[Path, str], exports: dict[str, Path]):
    folder, printed = reported
    heads = ("genre", "instruments", "tempo", "key")
    assert {path.name for path in folder.glob("test*")} == {
        "test.json",
        "test.md",
        *(f"test_{name}.csv" for name in TABLES),
        *(f"test_{name}.png" for name in ("overview", "models", *heads)),
    }
    for path in folder.glob("*.png"):
        with Image.open(path) as picture:
            assert picture.size[0] > 400 and path.stat().st_size < 200_000
    for text in (
        "against the moved labels",
        "Models side by side",
        "Where labels move",
        "Answers that followed",
        "The most sensitive classes",
        "Ranking",
        "Recommendations",
        "Computing time",
        "measured in this run: 6 of 6 conditions",
    ):
        assert text in printed
    assert "\x1b" not in printed
    summary = json.loads((folder / "test.json").read_text())
    assert list(summary["exports"]) == [str(exports["tags"]), str(exports["features"])]
    assert (summary["split"], summary["tracks"], summary["excerpt_s"]) == ("test", 4, 15.0)
    assert all(line in printed for line in (folder / "test.md").read_text().splitlines() if "| pitch shift " in line)


@pytest.mark.slow
def test_the_ranking_is_that_of_the_metrics(reported: tuple[Path, str]):
    """It ranks by the primary metrics that are above zero on clean audio; the others cannot fall."""
    folder, _ = reported
    drops: dict[str, list[float]] = {}
    for row in table(folder / "test_metrics.csv"):
        if row["metric"] == PRIMARY[row["head"]] and row["drop"]:
            drops.setdefault(row["deformation"], []).append(float(row["drop"]))
    ranking = table(folder / "test_ranking.csv")
    assert set(drops) == {"pitch_shift", "time_stretch", "mp3", "polarity"}
    assert {row["deformation"]: float(row["drop"]) for row in ranking} == pytest.approx(
        {name: sum(found) / len(found) for name, found in drops.items()}, abs=2e-5
    )
    assert [float(row["drop"]) for row in ranking] == sorted((float(row["drop"]) for row in ranking), reverse=True)
    assert [float(row["worst_drop"]) for row in ranking] == [max(drops[row["deformation"]]) for row in ranking]


@pytest.mark.slow
def test_tables_agree_with_each_other(reported: tuple[Path, str], exports: dict[str, Path]):
    folder, _ = reported
    metrics, moved = table(folder / "test_metrics.csv"), table(folder / "test_moved.csv")
    assert len(moved) == 5 * 5, "five heads under five conditions"
    found = {(row["export"], row["head"], row["deformation"], row["strength"]): row for row in moved}
    moving = {key[1:] for key, row in found.items() if row["label_moves"] == "1"}
    assert moving == {("key", "pitch_shift", "-1"), ("key", "pitch_shift", "2"), ("tempo", "time_stretch", "0.8")}
    for row in metrics:
        assert row["moved"] == row["original"] or (row["head"], row["deformation"], row["strength"]) in moving
        drop = 1 - float(row["moved"]) / float(row["clean"]) if row["moved"] and float(row["clean"] or 0) else None
        assert (float(row["drop"]) if row["drop"] else None) == pytest.approx(drop, abs=2e-4)
    seconds = {row["deformation"]: row for row in table(folder / "test_seconds.csv")}
    assert list(seconds) == ["clean", "pitch_shift", "time_stretch", "mp3", "polarity"]
    assert float(seconds["pitch_shift"]["audio_s"]) == pytest.approx(2 * float(seconds["clean"]["audio_s"]))


@pytest.mark.slow
def test_recommendations_stay_where_nothing_changes(reported: tuple[Path, str]):
    """A network that takes a power spectrogram gives the same answer for an inverted waveform."""
    rows = {row["deformation"]: row for row in table(reported[0] / "test_recommendations.csv")}
    assert (rows["polarity"]["kept"], rows["polarity"]["first"], rows["polarity"]["queries"]) == ("1.0", "1.0", "4")
    assert float(rows["polarity"]["by_chance"]) == pytest.approx(2 / 3, abs=1e-5)


@pytest.mark.slow
def test_wandb_gets_tables_and_figures(reported: tuple[Path, str]):
    summary = next(reported[0].glob("wandb/offline-run-*/files"), None)
    assert summary is not None
    names = {path.name for path in reported[0].rglob("wandb/**/media/**/*") if path.is_file()}
    assert any("test_overview" in name for name in names) and any(name.endswith(".table.json") for name in names)


@pytest.mark.slow
def test_an_interrupted_report_continues(
    program: Callable, exports: dict[str, Path], music: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    compute, calls = TrackInference.compute, []

    def compute_until_ctrl_c(self: TrackInference) -> object:
        calls.append(self)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return compute(self)

    command = ["robustness.py", f"export={exports['features']}", *music, *BRIEF, f"paths.cache={tmp_path / 'cache'}"]
    with monkeypatch.context() as patched:
        patched.setattr(TrackInference, "compute", compute_until_ctrl_c)
        done = program(*command, f"hydra.run.dir={tmp_path / 'first'}", status=130)
    assert "run the same command again to continue" in done.stdout
    done = program(*command, f"hydra.run.dir={tmp_path / 'second'}")
    assert "measured in this run: 1 of 3 conditions" in done.stdout
    assert "left out: recommendations: not measured (recommender=null)" in done.stdout


def test_the_datasets_of_a_mixture_are_reported_separately(
    program: Callable, exports: dict[str, Path], tiny_music: Path, music: list[str], tmp_path: Path
):
    sets = [
        text
        for name in ("one", "two")
        for text in (f"+data@data.sets.{name}=manifest", f"data.sets.{name}.manifest={tiny_music}")
    ]
    program(
        "robustness.py",
        f"export={exports['features']}",
        "data=mixture",
        *sets,
        music[-1],
        *BRIEF,
        "deformation.gain=null",
        "tracks=2",
        f"hydra.run.dir={tmp_path}",
    )
    reports = [json.loads((tmp_path / f"test_{name}.json").read_text()) for name in ("one", "two")]
    assert [(report["split"], report["tracks"]) for report in reports] == [("test/one", 2), ("test/two", 2)]
    assert {row["deformation"] for report in reports for row in report["moved"]} == {"polarity"}, "gain is left out"


@pytest.mark.slow
def test_multirun_makes_one_report_per_export(
    program: Callable, exports: dict[str, Path], music: list[str], tmp_path: Path
):
    brief = [text for text in BRIEF if not text.startswith("deformation")]
    program(
        "robustness.py",
        "-m",
        f"export={exports['tags']},{exports['features']}",
        *music,
        *brief,
        "tracks=2",
        "deformation=polarity",
        f"hydra.sweep.dir={tmp_path}",
    )
    jobs = [table(tmp_path / str(job) / "test_moved.csv") for job in range(2)]
    assert [{(row["export"], row["deformation"]) for row in rows} for rows in jobs] == [
        {(str(exports[name]), "polarity")} for name in ("tags", "features")
    ]
    assert [len(rows) for rows in jobs] == [2, 3], "one row per head"


@pytest.mark.slow
def test_multirun_over_deformations_and_seeds(
    program: Callable, exports: dict[str, Path], music: list[str], tmp_path: Path
):
    brief = [text for text in BRIEF if not text.startswith("deformation")]
    program(
        "robustness.py",
        "-m",
        f"export={exports['tags']}",
        *music,
        *brief,
        "tracks=2",
        "deformation=polarity,published_noise",
        "seed=0,1",
        f"hydra.sweep.dir={tmp_path}",
    )
    jobs = [json.loads((tmp_path / str(job) / "test.json").read_text()) for job in range(4)]
    assert [({row["deformation"] for row in job["moved"]}, job["measurement"]["seed"]) for job in jobs] == [
        ({"polarity"}, 0),
        ({"polarity"}, 1),
        ({"published_noise"}, 0),
        ({"published_noise"}, 1),
    ]


@pytest.fixture(scope="module")
def unnamed(tiny_music: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a manifest without artists, whose validation tracks have no label."""
    blank = pl.col("split") == "valid"
    labels = [pl.when(~blank).then(name).alias(name) for name in ("genre", "bpm", "key", "mode")]
    frame = read_manifest(tiny_music).with_columns(artist=pl.lit(None, pl.String)).with_columns(labels)
    path = tmp_path_factory.mktemp("unnamed") / "manifest.csv"
    write_manifest(frame, path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([], "export: no model is given; give export=PATH"),
        (["export={features}", "deformation=tape"], "deformation=tape: choose all, brown_noise"),
        (["export={features}", "~deformation"], "deformation: none is chosen; give deformation=all"),
        (
            ["export={features}", "deformation=mp3", "deformation.mp3.strengths=[4]"],
            "bitrate_kbps=4: give a number from",
        ),
        (["export={features}", "tracks=0"], "tracks=0: give a whole number, 1 or more"),
        (
            ["export={features}", "splits=[training]"],
            "no readable track has split 'training' (splits there: test, train",
        ),
        (["export=[{features},{features}]"], "the same model is given twice"),
        (
            ["export=[{features},{low}]"],
            "all models of a report get the same deformed audio; make one report per model",
        ),
        (["export={mood}"], "no track of split 'test' in {manifest} has a label for mood"),
        (["export=nowhere"], "nowhere: there is no such file or folder"),
        (["export={features}", "recommender.library=none.sqlite"], "none.sqlite: no such library"),
        (["export={features}", "measurement.device=gpu"], "measurement.device=gpu: choose auto, cpu, cuda"),
        (
            ["export={features}", "bootstrap.units=[artist]", "data.manifest={unnamed}"],
            "bootstrap.units=[artist]: no track of 'test' has an artist",
        ),
        (
            ["export={features}", "splits=[test,valid]", "data.manifest={unnamed}"],
            "no track of split 'valid' in {unnamed} has a label for",
        ),
    ],
)
def test_a_mistake_gets_one_message(
    program: Callable,
    exports: dict[str, Path],
    music: list[str],
    tiny_music: Path,
    unnamed: Path,
    tmp_path: Path,
    overrides: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
):
    """The message comes before any audio is decoded."""
    monkeypatch.setattr(MusicDataModule, "open", lambda *_, **__: pytest.fail("audio was decoded"))
    given = [text.format(**exports, unnamed=unnamed) for text in overrides]
    replaced = ("deformation.gain.strengths", "recommender", *(["bootstrap"] if "bootstrap" in str(given) else []))
    brief = [text for text in BRIEF if text.split("=")[0] not in replaced]
    if any("deformation" in text for text in given):
        brief = [text for text in brief if not text.startswith("deformation")]
    done = program("robustness.py", *music, *brief, *given, f"hydra.run.dir={tmp_path / 'report'}", status=1)
    assert message.format(manifest=tiny_music, unnamed=unnamed) in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "report").glob("test*"))


@pytest.fixture(scope="module")
def beats(tiny_music: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of an untrained beat network with chunks of 3 s."""
    torch.manual_seed(0)
    network = BeatNet({"beats": 2}, n_mels=128, chunk_samples=48_000, width=4, blocks=2).eval()
    folder = tmp_path_factory.mktemp("beats") / "beats"
    return write_export(
        folder, network=network, heads=[BeatHead()], frontend=MelSpectrogram(n_mels=128), metrics={}, data={}
    )


@pytest.mark.slow
def test_beats_are_scored_where_their_times_can_follow(
    program: Callable, beats: Path, music: list[str], tmp_path: Path
):
    """With the default recommender, which beats have no answer for, and figures."""
    brief = [text for text in BRIEF if text.split("=")[0] not in ("deformation", "recommender", "figures")]
    done = program(
        "robustness.py", f"export={beats}", *music, *brief, "deformation=[gain,crop,time_stretch]",
        "deformation.time_stretch.strengths=[0.8]", "deformation.crop.strengths=[0.5]",
        f"hydra.run.dir={tmp_path / 'report'}",
    )  # fmt: skip
    rows = table(tmp_path / "report" / "test_metrics.csv")
    assert {(row["deformation"], row["metric"]) for row in rows} == {
        (name, metric)
        for name in ("gain", "time_stretch")
        for metric in ("f_measure", "cmlt", "amlt", "downbeat_f_measure", "tempo_2pct")
    }
    moves = {row["deformation"]: row["label_moves"] for row in table(tmp_path / "report" / "test_moved.csv")}
    assert moves == {"gain": "0", "time_stretch": "1"}
    gain = next(row for row in rows if (row["deformation"], row["metric"]) == ("gain", "f_measure"))
    assert float(gain["moved"]) == pytest.approx(float(gain["clean"]), abs=0.02), "the network does not hear a gain"
    assert "left out: beats under crop: times do not stay" in done.stdout
    assert "left out: recommendations: no head answers once per track" in done.stdout


def test_beats_of_several_excerpts_are_refused(program: Callable, beats: Path, music: list[str], tmp_path: Path):
    given = [f"export={beats}", *music, *BRIEF, "measurement.excerpts=2", f"hydra.run.dir={tmp_path / 'report'}"]
    error = program("robustness.py", *given, status=1).stderr
    assert "measurement.excerpts=2: beats of " in error and "give measurement.excerpts=1" in error


def test_heads_without_labels_are_listed_as_left_out(
    program: Callable, exports: dict[str, Path], tiny_music: Path, music: list[str], tmp_path: Path
):
    frame = read_manifest(tiny_music).with_columns(bpm=pl.lit(None, pl.Float64))
    write_manifest(frame, tmp_path / "manifest.csv")
    done = program(
        "robustness.py",
        f"export={exports['features']}",
        *music,
        *BRIEF,
        f"data.manifest={tmp_path / 'manifest.csv'}",
        f"hydra.run.dir={tmp_path / 'report'}",
    )
    assert f"left out: tempo of {exports['features']}: no track of split 'test' has a label for it" in done.stdout
    assert {row["head"] for row in table(tmp_path / "report" / "test_metrics.csv")} == {"genre", "key"}


@pytest.mark.slow
def test_recommendations_from_a_library_file(
    program: Callable, exports: dict[str, Path], tiny_music: Path, music: list[str], tmp_path: Path
):
    both = [str(exports["features"]), str(exports["tags"])]
    library = tmp_path / "my.sqlite"
    program(
        "recommend.py", "action=index", f"exports=[{both[0]},{both[1]}]", f"source={tiny_music}", f"library={library}"
    )
    brief = [text for text in BRIEF if text != "recommender=null"] + [
        f"recommender.library={library}",
        "recommender.k=3",
    ]
    done = program("robustness.py", f"export=[{both[1]},{both[0]}]", *music, *brief, f"hydra.run.dir={tmp_path / 'a'}")
    assert f"lists of 3 from {library} (23 candidates" in done.stdout.replace("\n", " ")
    rows = {row["deformation"]: row for row in table(tmp_path / "a" / "test_recommendations.csv")}
    assert rows["polarity"]["kept"] == "1.0"
    message = program("robustness.py", f"export={both[0]}", *music, *brief, status=1).stderr
    assert "was made with 2 exports, not" in " ".join(message.split())
