"""The W&B logger with and without an API key, and if the server rejects the key."""

from pathlib import Path

import pytest
import wandb

from musicrec.tracking.wandb_logger import wandb_logger


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """Record the settings of W&B runs instead of starting them; no API key is known."""
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_DATA_DIR", "")
    monkeypatch.setattr(wandb, "login", lambda **settings: False)
    settings = []
    monkeypatch.setattr(wandb, "init", lambda **given: settings.append(given))
    return settings


def start(folder: Path, **settings) -> None:
    wandb_logger(project="p", name="n", save_dir=folder, **settings)


def test_offline_without_a_key(started: list[dict], tmp_path: Path):
    start(tmp_path)
    assert [(run["mode"], run["dir"], run["name"], run["group"]) for run in started] == [
        ("offline", str(tmp_path), "n", None)
    ]
    assert (tmp_path / "wandb").is_dir()


def test_online_with_a_key(started: list[dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(wandb, "login", lambda **settings: True)
    start(tmp_path)
    assert started[0]["mode"] == "online"


def test_offline_if_the_key_is_rejected(started: list[dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def reject(**given) -> None:
        started.append(given)
        if given["mode"] == "online":
            raise wandb.errors.AuthenticationError("no such key")

    monkeypatch.setattr(wandb, "login", lambda **settings: True)
    monkeypatch.setattr(wandb, "init", reject)
    with pytest.warns(UserWarning, match=r"cannot connect to W&B \(no such key\); this run is logged offline"):
        start(tmp_path)
    assert [run["mode"] for run in started] == ["online", "offline"]


def test_the_environment_variable_overrides_the_mode(
    started: list[dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(wandb, "login", lambda **settings: True)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    start(tmp_path)
    assert started[0]["mode"] == "disabled"


def test_jobs_of_a_sweep_share_a_group_and_have_their_own_names(started: list[dict], tmp_path: Path):
    for job in (0, 1):
        start(tmp_path / str(job), group="rates", job=job)
    assert [(run["name"], run["group"], run["config"]["run"]["job"]) for run in started] == [
        ("n-0", "rates", 0), ("n-1", "rates", 1),
    ]  # fmt: skip


def test_a_continued_run_keeps_its_id(started: list[dict], tmp_path: Path):
    start(tmp_path, continued=True)
    for name in ("offline-run-20260101_100000-first111", "run-20260101_110000-second22"):
        (tmp_path / "wandb" / name).mkdir(parents=True)
    (tmp_path / "wandb" / "latest-run").symlink_to("run-20260101_110000-second22")
    start(tmp_path, continued=True)
    start(tmp_path)
    assert [run["id"] for run in started] == [None, "second22", None]
