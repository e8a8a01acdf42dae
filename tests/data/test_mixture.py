"""Two small datasets with labels for different heads, used together for training and separately for evaluation."""

import json
import math
import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from musicrec.data.chunk_sampling import RandomChunks, Sampling
from musicrec.data.datamodule import MusicDataModule
from musicrec.data.manifest import read_manifest, write_manifest
from musicrec.data.mixture import Mixture, Part
from musicrec.errors import ConfigError, ManifestError
from musicrec.heads.classes import ClassHead
from musicrec.heads.key import KeyHead
from musicrec.heads.tags import TagHead
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.short_chunk_resnet import ShortChunkResNet
from musicrec.programs.arguments import spell_out_mixtures
from musicrec.training.module import MusicModule

CONF = Path(__file__).parents[2] / "conf"


@pytest.fixture(scope="module")
def sets(tiny_music: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Manifests of 12 tracks each: "genres" with genre and instruments, "keys" with key and one instrument, flute."""
    frame, folder = read_manifest(tiny_music), tmp_path_factory.mktemp("sets")
    of_split = pl.int_range(pl.len()).over("split")
    of_set = {"genres": frame.filter(of_split % 2 == 0).drop("key", "mode", "bpm")}
    flute = pl.col("instruments").list.filter(pl.element() == "flute")
    of_set["keys"] = frame.filter(of_split % 2 == 1).drop("genre", "bpm").with_columns(flute)
    for name, part in of_set.items():
        (folder / name).mkdir()
        write_manifest(part, folder / name / "manifest.csv")
    return {name: folder / name / "manifest.csv" for name in of_set}


def mixture(sets: dict[str, Path], stores: Path, **settings: dict) -> Mixture:
    parts = {name: Part(manifest=path, stores=stores, **settings.get(name, {})) for name, path in sets.items()}
    return Mixture(parts=parts, folder=stores)


@pytest.fixture(scope="module")
def data(sets: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> MusicDataModule:
    stores = tmp_path_factory.mktemp("stores")
    heads = [ClassHead(name="genre", column="genre"), KeyHead(), TagHead(name="instruments", columns=("instruments",))]
    data = MusicDataModule(
        manifest=mixture(sets, stores, keys={"weight": 3}), stores=stores, heads=heads, chunk_samples=16_000,
        frontend=MelSpectrogram(sample_rate=16_000, n_mels=128, n_fft=512, hop_length=256),
        sampling=Sampling(workers=0),
    )  # fmt: skip
    data.open()
    return data


def test_every_dataset_has_splits_of_its_own(data: MusicDataModule, sets: dict[str, Path]):
    assert data.subsplits("train") == ["train/genres", "train/keys"]
    assert data.test_splits == [
        "test/genres",
        "test/keys",
    ]
    assert data.tracks("train").height == sum(data.tracks(split).height for split in data.subsplits("train"))
    own = read_manifest(sets["keys"])
    assert data.tracks("test/keys")["track_id"].to_list() == [
        f"keys/{name}" for name in own.filter(split="test")["track_id"]
    ]
    assert data.manifest_path.parent.name == "genres+keys"
    assert {loader.dataset.split for loader in data.val_dataloader()} == {"valid/genres", "valid/keys"}


def test_the_parts_keep_their_own_stores(data: MusicDataModule):
    stores = {path.parent.name.split("-")[0]: path for path in data.stores.glob("*/waveforms.i16")}
    assert stores.keys() == {"genres", "keys"}
    before = {name: path.stat().st_mtime_ns for name, path in stores.items()}
    alone = MusicDataModule(
        manifest=data.mixture.parts["keys"].manifest, stores=data.stores, heads=[KeyHead()], frontend=data.frontend,
        chunk_samples=16_000, sampling=Sampling(workers=0),
    )  # fmt: skip
    alone.open()
    assert {name: path.stat().st_mtime_ns for name, path in stores.items()} == before, "nothing is decoded again"
    group = pickle.loads(pickle.dumps(data.store))
    names = ["keys/" + alone.store.track_ids[2], "genres/" + data.store.stores["genres"].track_ids[1], "keys/none"]
    rows = group.rows(pl.Series(names))
    assert rows[2] == -1 and [group.index[name] for name in names[:2]] == rows[:2].tolist()
    starts = np.array([500, 90_000])
    chunks = group.read(rows[:2], starts, 8000)
    assert np.array_equal(chunks[0], alone.store.read(np.array([2]), starts[:1], 8000)[0])
    assert np.array_equal(chunks[1], data.store.stores["genres"].read(np.array([1]), starts[1:], 8000)[0])
    assert group.lengths[rows[0]] == alone.store.lengths[2]
    assert group.checksum(names[0]) == alone.store.checksum(alone.store.track_ids[2])


def test_a_label_is_missing_where_a_dataset_has_none(data: MusicDataModule):
    dataset = data.train_dataloader().dataset
    of_keys = (data.tracks("train")["dataset"] == "keys").to_numpy()
    assert dataset.targets["genre"].isnan().numpy().tolist() == of_keys.tolist()
    assert dataset.targets["key"].isnan().numpy().tolist() == (~of_keys).tolist()
    tags, instruments = data.heads[2], dataset.targets["instruments"]
    flute = tags.classes.index("flute")
    others = [number for number in range(len(tags.classes)) if number != flute]
    assert instruments[of_keys][:, others].isnan().all(), "nobody has listened for these there"
    assert not instruments[of_keys][:, flute].isnan().any() and not instruments[~of_keys].isnan().any()


def test_a_head_learns_only_from_tracks_that_have_its_label(data: MusicDataModule):
    torch.manual_seed(0)
    network = ShortChunkResNet({head.name: len(head.classes) for head in data.heads}, chunk_samples=16_000, width=8)
    module = MusicModule(network, data.heads).eval()  # eval: no example changes the norms of others
    batch = data.prepare(next(iter(data.train_dataloader())))
    of_keys = ~batch["target"]["key"].isnan()
    assert of_keys.any() and not of_keys.all(), "a batch mixes the datasets"

    def gradients(rows: torch.Tensor) -> dict[str, torch.Tensor]:
        network.zero_grad()
        _, logits = module(batch["mel"][rows])
        module._losses(logits, {name: values[rows] for name, values in batch["target"].items()})[0].backward()
        return {head.name: network.classifier.linears[head.name].weight.grad.clone() for head in data.heads}

    both, genres, keys = gradients(torch.ones_like(of_keys)), gradients(~of_keys), gradients(of_keys)
    assert not keys["genre"].any() and not genres["key"].any()
    torch.testing.assert_close(both["key"], keys["key"])
    torch.testing.assert_close(both["genre"], genres["genre"])
    flute = data.heads[2].classes.index("flute")
    assert keys["instruments"][flute].any() and keys["instruments"].any(dim=1).sum() == 1


def test_weights_set_how_often_the_tracks_of_a_dataset_are_drawn(data: MusicDataModule):
    tracks = data.tracks("train")
    drawn = Counter(tracks["dataset"][track] for track, _ in data.train_dataloader().sampler)
    genres = tracks.filter(dataset="genres").height
    assert drawn == {"genres": 8 * genres, "keys": 3 * 8 * (tracks.height - genres)}
    lengths, weights = np.full(30, 100), np.array([1.0] * 20 + [2.5] * 8 + [0.0] * 2)
    sampler = RandomChunks(lengths, samples=10, chunks_per_track=4, weights=weights, seed=0)
    order = [track for track, _ in sampler]
    assert len(order) == len(sampler) == 20 * 4 + 8 * 10
    assert set(Counter(order).values()) == {4, 10} and not {28, 29} & set(order)
    for first in range(0, 160, 20):
        assert 9 <= sum(track < 20 for track in order[first : first + 20]) <= 11, "half of every batch, as of the whole"


@pytest.mark.parametrize(
    ("settings", "message"),
    [*(({"weight": weight}, rf"data.sets.keys.weight={weight}: give a number from 0 to 1000")
       for weight in (-1, math.nan, math.inf, 1001, True, "much")),
     ({"columns": ["mood"]}, r"data.sets.keys.columns: no label mood; it has .*instruments"),
     ({"train_split": "trian"}, r"data.sets.keys.train_split=trian: no track of .*manifest.csv is in it, only in test"),
     ({"train_split": "test"}, r"data.sets.keys.train_split=test: the mixture calls this split 'train', but"),
     ({"valid_split": "test"}, r"data.sets.keys.valid_split=test: the mixture calls this split 'valid', but"),
     ({"valid_split": "train"}, r"data.sets.keys.train_split=train and its valid_split are the same: name two splits")],
)  # fmt: skip
def test_invalid_settings_are_named(sets: dict[str, Path], tmp_path: Path, settings: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        mixture(sets, tmp_path, keys=settings)()


def test_train_and_valid_can_be_swapped(sets: dict[str, Path], tmp_path: Path):
    swapped = mixture(sets, tmp_path, keys={"train_split": "valid", "valid_split": "train"})
    frame = read_manifest(swapped())
    assert dict(frame.filter(dataset="keys")["split"].value_counts().iter_rows()) == {
        "train/keys": 2, "valid/keys": 8, "test/keys": 2,
    }  # fmt: skip


def test_invalid_and_repeated_names_are_refused(sets: dict[str, Path], tmp_path: Path, program):
    with pytest.raises(ConfigError, match=r"data.sets.a/b: give the dataset a name without blanks and slashes"):
        mixture({"a": sets["genres"], "a/b": sets["keys"]}, tmp_path)
    told = program("train.py", "data=[folder,gtzan,folder]", status=1).stderr
    assert "data=[folder,gtzan,folder]: folder is named twice; give each a name of its own, as in data=mixture" in told


def test_nothing_is_learned_from_a_dataset_of_weight_zero(data: MusicDataModule, sets: dict[str, Path]):
    def opened(heads: list, **weights: float) -> MusicDataModule:
        settings = {name: {"weight": weight} for name, weight in weights.items()}
        module = MusicDataModule(
            manifest=mixture(sets, data.stores, **settings), stores=data.stores, heads=heads, chunk_samples=16_000,
            frontend=data.frontend, sampling=Sampling(workers=0),
        )  # fmt: skip
        module.open()
        return module

    tags = TagHead(name="instruments", columns=("instruments",))
    assert opened([tags], genres=0).heads[0].classes == ("flute",), "the others are those of the genres"
    with pytest.raises(ManifestError, match="no track of split 'train' has a label that head 'key' can use"):
        opened([KeyHead()], keys=0)
    with pytest.raises(
        ConfigError, match=r"data.sets.genres.weight=0, data.sets.keys.weight=0: no training track would"
    ):
        opened([tags], genres=0, keys=0)


def test_tracks_that_one_dataset_trains_on_and_another_tests_on_are_reported(
    sets: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    frame = read_manifest(sets["keys"])
    artist = pl.when(pl.col("split") == "train").then(pl.lit("Ada")).otherwise(pl.lit(" ADA"))
    for name, split in (("one", pl.col("split")), ("two", pl.col("split").replace("train", "test"))):
        write_manifest(frame.with_columns(split=split, artist=artist), tmp_path / f"{name}.csv")
    path = mixture({name: tmp_path / f"{name}.csv" for name in ("one", "two")}, tmp_path)()
    assert "8 files of several datasets, trained on in one and held out in another: " in caplog.text
    report = path.with_name("manifest.checks.txt").read_text()
    assert f"             {frame['path'][0]} (test/two, train/one)\n" in report
    assert (
        "1 artist of several datasets" in report and "(test/one, test/two, train/one, valid/one, valid/two)" in report
    )
    caplog.clear()
    mixture({name: tmp_path / "one.csv" for name in ("one", "two")}, tmp_path)()
    assert "8 files" not in caplog.text, "the same split in both is no leak"


def test_columns_that_are_not_chosen_are_missing(sets: dict[str, Path], tmp_path: Path):
    frame = read_manifest(mixture(sets, tmp_path, keys={"columns": ["key", "mode"]})())
    assert frame.filter(dataset="keys")["instruments"].null_count() == 12
    assert frame.filter(dataset="keys")["key"].null_count() == 0


def test_the_command_line_names_datasets_in_a_list():
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF)):
        overrides = spell_out_mixtures(["data=[magnatagatune,giantsteps_key]", "task=[autotagging,key]", "seed=1"])
        cfg = compose("train", overrides=[*overrides, "data.sets.giantsteps_key.root=here"])
    assert cfg.data.sets.keys() == {"magnatagatune", "giantsteps_key"} and cfg.seed == 1
    assert cfg.data.sets.giantsteps_key.manifest.root == "here" and cfg.data.sets.magnatagatune.manifest.root is None
    assert {*cfg.task.heads} == {"tags", "key"}
    assert spell_out_mixtures(["data=synthetic", "task=[genre,key]"]) == ["data=synthetic", "task=[genre,key]"]


@pytest.mark.slow
def test_training_and_evaluation_through_the_command_line(sets: dict[str, Path], tmp_path: Path, program):
    both = ["data=mixture", f"paths.cache={tmp_path}", "debug=fast"]
    for name, path in sets.items():
        both += [f"+data@data.sets.{name}=manifest", f"data.sets.{name}.manifest={path}"]
    run = tmp_path / "run"
    train = ["task=[genre,key]", "model=short_chunk_resnet", "data.sets.keys.weight=2", f"hydra.run.dir={run}"]
    done = program("train.py", *both, *train)
    assert "keys: train 8, valid 2, test 2 tracks; weight 2: 67 % of the training chunks" in done.stdout
    metrics = json.loads((run / "export" / "metrics.json").read_text())
    assert metrics.keys() == {"test/genres", "test/keys"}
    assert metrics["test/keys"]["genre/accuracy"] is None and metrics["test/keys"]["key/accuracy"] is not None
    rows = pl.read_csv(run / "metrics.csv", infer_schema_length=None).to_dicts()
    last = {name: value for row in rows for name, value in row.items() if value is not None}
    apart = [last["val/genres/score"] if "val/genres/score" in last else last["val/genres/genre/accuracy"],
             last["val/keys/key/accuracy"]]  # fmt: skip
    assert last["val/score"] == pytest.approx(sum(apart) / 2) and math.isfinite(last["val/loss"])

    report = tmp_path / "report"
    program(
        "evaluate.py", *both, f"export={run / 'export'}", "bootstrap=null", "plots=false", f"hydra.run.dir={report}"
    )
    result = json.loads((report / "result.json").read_text())["about"]
    assert result["dataset"] == "genres+keys" and result["split_hashes"].keys() == {"test/genres", "test/keys"}
    one = tmp_path / "one"
    program("evaluate.py", *both, f"export={run / 'export'}", "bootstrap=null", "plots=false", f"hydra.run.dir={one}",
            "splits=[test/keys]")  # fmt: skip
    assert json.loads((one / "result.json").read_text())["about"]["split_hashes"].keys() == {"test/keys"}
    assert (
        "no dataset is named"
        in program("train.py", "data=mixture", "debug=fast", f"hydra.run.dir={tmp_path}", status=1).stderr
    )
