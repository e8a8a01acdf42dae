"""W&B without an account."""

from pathlib import Path

import pytest
import wandb

from musicrec.tracking import wandb_logger


@pytest.fixture
def api_key(monkeypatch: pytest.MonkeyPatch):
    """Who is logged in to W&B; nobody, unless a test says otherwise."""
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_SILENT", "true")

    def log_in(key: str | None) -> None:
        monkeypatch.setattr(type(wandb.api), "api_key", property(lambda api: key))

    log_in(None)
    return log_in


def mode(folder: Path) -> tuple[str, str]:
    logger = wandb_logger(project="p", name="n", save_dir=folder)
    return logger._wandb_init["mode"], logger._wandb_init["dir"]


def test_offline_without_a_key(api_key, tmp_path: Path):
    assert mode(tmp_path) == ("offline", str(tmp_path))
    assert (tmp_path / "wandb").is_dir()


def test_online_with_a_key(api_key, tmp_path: Path):
    api_key("0" * 40)
    assert mode(tmp_path)[0] == "online"


def test_the_environment_decides_where_it_speaks(api_key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    api_key("0" * 40)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert mode(tmp_path)[0] == "disabled"
