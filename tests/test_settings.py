"""Settings of a wrong type are told by their keys."""

import pytest
from omegaconf import OmegaConf

from musicrec.cli import TARGETS
from musicrec.errors import ConfigError
from musicrec.settings import check_types

FITTING = {
    "optim": {"_target_": "musicrec.optim.AdamWCosine", "lr": 1, "warmup": None},
    "filter": {"_target_": "musicrec.recommend.filters.TagFilter", "top": 3, "threshold": None, "match": "any"},
    "trainer": {"_target_": "pytorch_lightning.Trainer", "max_epochs": None, "precision": "32-true", "devices": [0]},
    "learned": [{"_target_": "musicrec.evaluation.bootstrap.Bootstrap", "resamples": "${tracks}", "confidence": "???"}],
    "logger": {"_target_": "pytorch_lightning.loggers.CSVLogger", "save_dir": "runs", "name": 2024},
    "elsewhere": {"_target_": "os.nothing", "lr": "fast"},
    "absent": {"_target_": "musicrec.optim.Absent", "lr": "fast"},
    "tracks": 200,
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optim": {"lr": "fast"}}, "optim.lr=fast: give a number"),
        ({"optim": {"lr": True}}, "optim.lr=True: give a number"),
        ({"filter": {"top": 2.5}}, "filter.top=2.5: give a whole number"),
        ({"filter": {"threshold": "half"}}, "filter.threshold=half: give a number or null"),
        ({"filter": {"match": ["any"]}}, "filter.match=['any']: give text"),
        ({"trainer": {"max_epochs": "many"}}, "trainer.max_epochs=many: give a whole number or null"),
        ({"tracks": "all"}, "learned[0].resamples=all: give a whole number"),
        ({"tracks": [1]}, "learned[0].resamples=[1]: give a whole number"),
    ],
)
def test_a_wrong_type_is_named(change: dict, message: str):
    cfg = OmegaConf.create(FITTING)
    check_types(cfg, allowed=TARGETS)
    with pytest.raises(ConfigError) as told:
        check_types(OmegaConf.merge(cfg, change), allowed=TARGETS)
    assert str(told.value) == message


def test_all_that_is_wrong_is_told_at_once():
    cfg = OmegaConf.merge(FITTING, {"optim": {"lr": "fast"}, "filter": {"top": "ten"}})
    with pytest.raises(ConfigError, match=r"^optim.lr=fast: give a number; filter.top=ten: give a whole number$"):
        check_types(cfg, allowed=TARGETS)
