"""Every YAML file composes, and its objects can be built."""

import inspect
import re
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.utils import instantiate
from omegaconf import DictConfig

from musicrec.config.targets import TARGETS
from musicrec.config.validation import check_settings
from musicrec.programs.build import PROBE, build_all, build_heads
from musicrec.sweeps import sweepers

CONF = Path(__file__).parents[1] / "conf"
PROGRAMS = ("train", "evaluate", "recommend", "robustness")
OPTIONS = sorted(
    path.relative_to(CONF)
    for path in CONF.glob("*/*.yaml")
    # Tests of their own: test_every_deformation.py, test_presets.py, sets/test_settings.py.
    if path.stem != "base" and path.parent.name not in ("deformation", "preset", "key_table", "set")
)
PRESETS = sorted(
    path.relative_to(CONF) for group in ("preset", "key_table", "set") for path in CONF.glob(f"{group}/*.yaml")
)
# tests/deformations/test_training.py builds them.
AUGMENTATIONS = sorted(path.relative_to(CONF) for path in CONF.glob("augment/*/*.yaml"))
DEFORMATIONS = sorted(path.relative_to(CONF) for path in CONF.glob("deformation/*.yaml"))
EXPERIMENTS = sorted(path.relative_to(CONF) for path in CONF.glob("experiment/*/*.yaml"))
SWEEPERS = {"grid": "GridSweeper", "study": "StudySweeper"}
# Options that need another one.
WITH = {
    "model/genre_slice_cnn.yaml": "frontend=librosa_mel",
    "model/gtzan_cnn.yaml": "frontend=librosa_mel",
    "model/harmonic_cnn.yaml": "frontend=linear",
    "model/key_net.yaml": "frontend=log_frequency",
    "model/musicnn.yaml": "frontend=musicnn",
    "model/sample_cnn.yaml": "frontend=waveform",
    "model/sample_cnn_se.yaml": "frontend=waveform",
    "model/skey.yaml": "frontend=constant_q",
    "frontend/linear.yaml": "model=harmonic_cnn",
    "frontend/waveform.yaml": "model=sample_cnn",
    "encoder/export.yaml": "model=probe",
    "encoder/hugging_face.yaml": "model=probe",
    "encoder/table.yaml": "model=probe",
}
# Overlays that need another overlay below them.
BESIDE = {"experiment/demo/small.yaml": "crnn"}
# Overlays of programs other than train.py.
OF_PROGRAM = {
    "experiment/published/robustness.yaml": "robustness",
    "experiment/published/giantsteps_tempo.yaml": "evaluate",
    "experiment/published/giantsteps_key.yaml": "evaluate",
}


def with_extras(files: list[Path]) -> list:
    """Mark the files that need timm."""
    return [pytest.param(path, marks=pytest.mark.extra("timm") if path.stem == "timm" else ()) for path in files]


@pytest.fixture(autouse=True)
def hydra():
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF)):
        yield


def build(cfg: DictConfig) -> None:
    """Build what train.py builds from a config, without data and with a narrow network, for speed."""
    for group in ("task", "model", "optim", "augment", "data", "trainer", "frontend", "encoder"):
        check_settings(cfg.get(group) or DictConfig({}), allowed=TARGETS)
    heads = build_heads(cfg.task)
    if cfg.get("frontend") is None:  # of a probe: tests/models/test_probe.py, tests/programs/test_probe.py
        assert cfg.model._target_ == PROBE and cfg.encoder._target_
        assert cfg.augment.spectrogram is None and not cfg.augment.waveform
        instantiate(cfg.optim, _execution_whitelist_=TARGETS)
        return
    network = instantiate(cfg.model, width=8, _execution_whitelist_=TARGETS)({head.name: 3 for head in heads})
    assert network.n_mels == cfg.frontend.n_mels, (
        f"{cfg.model._target_} takes {network.n_mels} mel bands, but the front end gives {cfg.frontend.n_mels}; if the "
        "network needs another front end, add that to tests/test_configs.py (in WITH)"
    )
    instantiate(cfg.optim, _execution_whitelist_=TARGETS)
    build_all(cfg.augment.waveform)
    instantiate(cfg.augment.mixup, _execution_whitelist_=TARGETS)
    instantiate(cfg.augment.spectrogram, _execution_whitelist_=TARGETS)


def test_all_files_are_seen():
    seen = {str(CONF / path) for path in (*OPTIONS, *EXPERIMENTS, *AUGMENTATIONS, *DEFORMATIONS, *PRESETS)}
    seen |= {str(CONF / f"{name}.yaml") for name in PROGRAMS}
    seen |= {str(CONF / "hydra" / "sweeper" / f"{name}.yaml") for name in SWEEPERS}
    seen.add(str(CONF / "wandb_sweep.yaml"))  # tests/tracking/test_wandb_sweep.py
    left = {str(path) for path in CONF.rglob("*.yaml") if path.stem != "base"} - seen
    assert not left
    assert len(OPTIONS) >= 25 and len(EXPERIMENTS) >= 5


@pytest.mark.slow
@pytest.mark.parametrize("option", with_extras(OPTIONS), ids=str)
def test_option_composes_and_builds(option: Path):
    group, name = option.parent.name, option.stem
    value = f"[{name}]" if group == "task" else name
    also = [WITH[str(option)]] if str(option) in WITH else []
    cfg = compose("train", overrides=[f"{group}={value}", *also])
    build(cfg)


@pytest.mark.slow
@pytest.mark.parametrize("experiment", with_extras(EXPERIMENTS), ids=str)
def test_experiment_composes_and_builds(experiment: Path):
    name = experiment.stem
    beside = BESIDE.get(str(experiment))
    chosen = f"[{beside},{name}]" if beside else name
    program = OF_PROGRAM.get(str(experiment), "train")
    cfg = compose(program, overrides=[f"+experiment/{experiment.parent.name}={chosen}"])
    if program == "train":
        build(cfg)
    else:
        check_settings(cfg.data, allowed=TARGETS)
        for sweep in (cfg.get("deformation") or {}).values():
            assert list(instantiate(sweep, _execution_whitelist_=TARGETS))


@pytest.mark.parametrize("tasks", ["tags", "[tags]", "[genre,features]", "[tags,features]", "[key_and_mode,tempo]"])
def test_tasks_combine(tasks: str):
    cfg = compose("train", overrides=[f"task={tasks}"])
    names = {head.name for head in build_heads(cfg.task)}
    assert ("genre" in names) == ("tags" in tasks or "genre" in tasks)
    assert ("tempo" in names) == ("features" in tasks or "tempo" in tasks)


def test_spotify32_has_the_32_outputs_in_the_original_order():
    heads = build_heads(compose("train", overrides=["task=spotify32"]).task)
    classes = [name for head in heads for name in head.classes]
    assert len(classes) == 32
    assert classes[:8] == [
        "danceability", "energy", "loudness", "mode", "acousticness", "instrumentalness", "liveness", "valence",
    ]  # fmt: skip
    assert classes[8] == "78–92 BPM" and classes[15] == "154–170 BPM"
    assert classes[16:28] == ["A#", "A", "B", "C#", "C", "D#", "D", "E", "F#", "F", "G#", "G"]
    assert classes[28:] == ["1", "3", "4", "5"]
    # The mean of 32 binary losses is the weighted sum of the heads' means.
    for head in heads:
        assert head.weight == len(head.classes) / 32


@pytest.mark.parametrize("name", SWEEPERS)
def test_sweepers_are_built_by_hydra(name: str):
    sweep = "optuna" if name == "study" else "none"
    cfg = compose("train", overrides=[f"sweep={sweep}"], return_hydra_config=True)
    assert cfg.hydra.runtime.choices["hydra/sweeper"] == name
    sweeper = getattr(sweepers, SWEEPERS[name])
    settings = {key: cfg.hydra.sweeper._get_node(key) for key in inspect.signature(sweeper).parameters}
    assert {*settings, "_target_"} == set(cfg.hydra.sweeper)
    assert cfg.hydra.sweeper._target_ == f"{sweeper.__module__}.{sweeper.__name__}"


@pytest.mark.slow
@pytest.mark.parametrize("program", ["evaluate", "recommend", "robustness"])
def test_other_programs_compose(program: str):
    overrides = ["action=query"] if program == "recommend" else ["export=somewhere"]
    assert compose(program, overrides=overrides)
    assert compose(program, overrides=[*overrides, "debug=fast"])
    assert program == "recommend" or compose(program, overrides=[*overrides, "data=gtzan", "data.root=somewhere"])


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["full", "small"])
def test_the_demo_trains_both_networks_and_recommends_from_the_music_they_were_trained_on(setting: str):
    """The Makefile names the overlays, and MUSIC, the folder that they synthesise into."""
    makefile = (CONF.parent / "Makefile").read_text()
    music = re.findall(r"^MUSIC := \$\(CACHE\)/(\S+)$", makefile, re.M)[("full", "small").index(setting)]
    heads = {}
    for overlay in re.findall(r"call overlay,(\w+)\)", makefile):
        chosen = f"[{overlay},small]" if setting == "small" else overlay
        cfg = compose("train", overrides=[f"+experiment/demo={chosen}", "paths.cache=CACHE"])
        heads[overlay] = {head.name for head in build_heads(cfg.task)}
        assert cfg.data.manifest.folder == f"CACHE/{music}"
        assert cfg.data.manifest.tracks == (720 if setting == "full" else 32)
    assert heads["crnn"] == {"genre", "instruments"}
    assert heads["short_chunk_resnet"] == {"tempo", "key", "metre"}
