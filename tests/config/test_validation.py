"""Settings of a wrong type are told by their keys."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from musicrec.config.targets import TARGETS
from musicrec.config.validation import SWITCHES, check_settings
from musicrec.errors import ConfigError

ROOT = Path(__file__).parents[2]

FITTING = {
    "optim": {"_target_": "musicrec.training.recipes.AdamWCosine", "lr": 1, "warmup": None},
    "filter": {"_target_": "musicrec.recommend.filters.TagFilter", "top": 3, "threshold": None, "match": "any"},
    "trainer": {"_target_": "pytorch_lightning.Trainer", "max_epochs": None, "precision": "32-true", "devices": [0]},
    "learned": [{"_target_": "musicrec.evaluation.bootstrap.Bootstrap", "resamples": "${tracks}", "confidence": "???"}],
    "logger": {"_target_": "pytorch_lightning.loggers.CSVLogger", "save_dir": "runs", "name": 2024},
    "elsewhere": {"_target_": "os.nothing", "lr": "fast"},
    "absent": {"_target_": "musicrec.training.recipes.Absent", "lr": "fast"},
    "tracks": 200,
    "head": {"_target_": "musicrec.heads.classes.ClassHead", "label_smoothing": 1, "weight": 0},
    "model": {"_target_": "musicrec.models.key_net.KeyNet", "width": 1, "bands_per_octave": 12},
    "music": {
        "_target_": "musicrec.data.datamodule.MusicDataModule",
        "seed": 0,
        "sampling": {"_target_": "musicrec.data.chunk_sampling.Sampling", "workers": "${..workers}"},
        "workers": 0,
    },
    "resume": False,
    "augment": {"move_labels": True},
    "data": {
        "download": False,
        "manifest": {"_target_": "musicrec.data.adapters.gtzan.gtzan", "download": "${..download}"},
    },
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optim": {"lr": "fast"}}, "optim.lr=fast: give a number, above 0"),
        ({"optim": {"lr": True}}, "optim.lr=True: give a number, above 0"),
        ({"optim": {"lr": -1}}, "optim.lr=-1: give a number, above 0"),
        ({"optim": {"lr": float("nan")}}, "optim.lr=nan: give a number, above 0"),
        ({"head": {"label_smoothing": 2}}, "head.label_smoothing=2: give a number from 0 to 1"),
        ({"model": {"bands_per_octave": 0}}, "model.bands_per_octave=0: give a whole number or null, 1 or more"),
        ({"filter": {"top": 2.5}}, "filter.top=2.5: give a whole number, 1 or more"),
        ({"filter": {"threshold": "half"}}, "filter.threshold=half: give a number or null, from 0 to 1"),
        ({"filter": {"match": ["any"]}}, "filter.match=['any']: give text"),
        ({"trainer": {"max_epochs": "many"}}, "trainer.max_epochs=many: give a whole number or null, -1 or more"),
        ({"trainer": {"max_epochs": -5}}, "trainer.max_epochs=-5: give a whole number or null, -1 or more"),
        ({"tracks": "all"}, "tracks=all: give a whole number, 100 or more"),
        ({"tracks": [1]}, "tracks=[1]: give a whole number, 100 or more"),
        ({"music": {"seed": -1}}, "music.seed=-1: give a whole number from 0 to 4294967295"),
        ({"music": {"workers": -1}}, "music.workers=-1: give a whole number or null, 0 or more"),
        ({"resume": "maybe"}, "resume=maybe: give true or false"),
        ({"augment": {"move_labels": 1}}, "augment.move_labels=1: give true or false"),
        ({"data": {"download": "maybe"}}, "data.download=maybe: give true or false"),
    ],
)
def test_a_wrong_type_is_named(change: dict, message: str):
    cfg = OmegaConf.create(FITTING)
    check_settings(cfg, allowed=TARGETS)
    with pytest.raises(ConfigError) as told:
        check_settings(OmegaConf.merge(cfg, change), allowed=TARGETS)
    assert str(told.value) == message


def test_all_that_is_wrong_is_told_at_once():
    cfg = OmegaConf.merge(FITTING, {"optim": {"lr": "fast"}, "filter": {"top": "ten"}})
    with pytest.raises(
        ConfigError, match=r"^optim.lr=fast: give a number, above 0; filter.top=ten: give a whole number, 1 or more$"
    ):
        check_settings(cfg, allowed=TARGETS)


def test_a_setting_that_several_refer_to_is_told_once():
    mel = {"_target_": "musicrec.models.frontends.mel.MelSpectrogram", "n_mels": "${model.n_mels}"}
    cfg = OmegaConf.create({"model": {**FITTING["model"], "n_mels": 0}, "frontend": mel})
    with pytest.raises(ConfigError, match=r"^model\.n_mels=0: give a whole number, 1 or more$"):
        check_settings(cfg, allowed=TARGETS)


def test_every_switch_of_the_programs_is_known():
    """What is true or false in a program's own YAML has no constructor that would tell its type."""
    found = {
        name
        for path in (ROOT / "conf").glob("*.yaml")
        for name, value in OmegaConf.to_container(OmegaConf.load(path)).items()
        if isinstance(value, bool)
    }
    assert found == {switch for switch in SWITCHES if "." not in switch}
