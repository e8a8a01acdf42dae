"""W&B without an account, with one, and where it cannot be reached."""

from pathlib import Path

import pytest
import wandb

from musicrec.tracking.wandb_logger import wandb_logger


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """The settings with which W&B runs were begun; nobody is logged in, and none is really begun."""
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_DATA_DIR", "")
    monkeypatch.setattr(wandb, "login", lambda **settings: False)
    settings = []
    monkeypatch.setattr(wandb, "init", lambda **given: settings.append(given))
    return settings


def begin(folder: Path, **settings) -> None:
    wandb_logger(project="p", name="n", save_dir=folder, **settings)


def test_offline_without_a_key(begun: list[dict], tmp_path: Path):
    begin(tmp_path)
    assert [(run["mode"], run["dir"], run["name"], run["group"]) for run in begun] == [
        ("offline", str(tmp_path), "n", None)
    ]
    assert (tmp_path / "wandb").is_dir()


def test_online_with_a_key(begun: list[dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(wandb, "login", lambda **settings: True)
    begin(tmp_path)
    assert begun[0]["mode"] == "online"


def test_offline_where_the_key_is_refused(begun: list[dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(**given) -> None:
        begun.append(given)
        if given["mode"] == "online":
            raise wandb.errors.AuthenticationError("no such key")

    monkeypatch.setattr(wandb, "login", lambda **settings: True)
    monkeypatch.setattr(wandb, "init", refuse)
    with pytest.warns(UserWarning, match=r"cannot be reached \(no such key\); this run is logged offline"):
        begin(tmp_path)
    assert [run["mode"] for run in begun] == ["online", "offline"]


def test_the_environment_decides_where_it_speaks(begun: list[dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(wandb, "login", lambda **settings: True)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    begin(tmp_path)
    assert begun[0]["mode"] == "disabled"


def test_jobs_of_a_sweep_share_a_group_and_have_names_of_their_own(begun: list[dict], tmp_path: Path):
    for job in (0, 1):
        begin(tmp_path / str(job), group="rates", job=job)
    assert [(run["name"], run["group"], run["config"]["run"]["job"]) for run in begun] == [
        ("n-0", "rates", 0), ("n-1", "rates", 1),
    ]  # fmt: skip


def test_a_run_that_is_continued_keeps_its_id(begun: list[dict], tmp_path: Path):
    begin(tmp_path, continued=True)
    for name in ("offline-run-20260101_100000-first111", "run-20260101_110000-second22"):
        (tmp_path / "wandb" / name).mkdir(parents=True)
    (tmp_path / "wandb" / "latest-run").symlink_to("run-20260101_110000-second22")
    begin(tmp_path, continued=True)
    begin(tmp_path)
    assert [run["id"] for run in begun] == [None, "second22", None]
