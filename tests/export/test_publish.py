"""Exports that are passed on, and what ships."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from musicrec.export.checksums import find_damage
from musicrec.export.folder import read_export, write_export
from musicrec.export.publish import publish_export
from musicrec.heads.tempo import TempoHead
from musicrec.models.frontends.log_frequency import LogFrequencySpectrogram
from musicrec.models.tempo_net import TempoNet
from musicrec.programs.command import main

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "musicrec" / "export" / "pretrained"
CARD = {
    "title": "Tempo",
    "about": "The tempo of music.",
    "measured": [
        {"title": "Songs", "text": "Four songs.", "columns": ["song", "BPM"], "rows": [["a", 170], ["b", None]]}
    ],
}


def publish(*arguments: object, status: int = 0) -> None:
    with pytest.raises(SystemExit) as end:
        main(["publish", *map(str, arguments)])
    assert int(end.value.code or 0) == status


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """An untrained tempo network."""
    torch.manual_seed(0)
    head = TempoHead(name="tempo", min_bpm=60.0, max_bpm=240.0, classes_per_octave=12)
    network = TempoNet({"tempo": len(head.classes)}, width=8, min_bpm=60.0, classes_per_octave=12)
    return write_export(tmp_path / "run" / "export", network=network, heads=[head], frontend=LogFrequencySpectrogram(),
                        metrics={"test": {"tempo/acc1": 0.5}}, data={"manifest": "m.csv"}, licence="MIT")  # fmt: skip


def test_a_published_export_is_the_model_without_the_run(export, tmp_path, capsys):
    card = tmp_path / "card.json"
    card.write_text(json.dumps(CARD))
    out = tmp_path / "published"
    publish(export, "--out", out, "--card", card)
    sha256, path = capsys.readouterr().out.split()
    assert Path(path) == out / "model.safetensors"
    assert f"{sha256}  model.safetensors\n" in (out / "SHA256SUMS").read_text() and not find_damage(out)
    assert (out / "model.safetensors").read_bytes() == (export / "model.safetensors").read_bytes()
    assert (out / "metrics.json").read_text() == (export / "metrics.json").read_text()
    model = read_export(out)
    assert (model.config["created"], model.config["git_commit"], model.config["licence"]) == (None, None, "MIT")
    text = (out / "README.md").read_text()
    assert text.startswith("# Tempo\n\nThe tempo of music.\n\n- **Network**: TempoNet")
    assert "## Songs\n\nFour songs.\n\n| song | BPM |\n|---|---|\n| a | 170 |\n| b | – |\n" in text
    assert "| tempo/acc1 | 0.500 |" in text and "git commit" not in text

    files = {file.name: file.read_bytes() for file in out.iterdir()}
    publish(export, "--out", out, "--card", card)
    assert files == {file.name: file.read_bytes() for file in out.iterdir()}, "the same again, byte for byte"


def test_without_a_card(export, tmp_path):
    publish_export(export, tmp_path / "out")
    assert (
        (tmp_path / "out" / "README.md").read_text().startswith("# TempoNet\n\nA music model exported by musicrec.\n")
    )


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (None, "card.json cannot be read: No such file"),
        ("{", "card.json is not JSON: "),
        ([1], "card.json: give a mapping with title, about, measured"),
        ({"title": "x"}, "card.json: no about, no measured; give title, about, measured, and nothing else"),
        (CARD | {"licence": "MIT"}, "card.json: unknown key licence; give title"),
        (CARD | {"title": 1}, "card.json: title is not text"),
        (CARD | {"measured": [{}]}, "measured, entry 1: no title, no text, no columns, no rows; give title"),
        (CARD | {"measured": [CARD["measured"][0] | {"rows": 3}]}, "measured, entry 1: rows is not a list"),
        (
            CARD | {"measured": [CARD["measured"][0] | {"rows": [["a"]]}]},
            "a row has not as many cells as there are col",
        ),
    ],
)
def test_a_wrong_card_gets_one_message(export, tmp_path, capsys, card, message):
    if card is not None:
        (tmp_path / "card.json").write_text(card if isinstance(card, str) else json.dumps(card))
    publish(export, "--out", tmp_path / "out", "--card", tmp_path / "card.json", status=1)
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and message in errors[0]
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_export_is_neither_read_nor_replaced(export, tmp_path, capsys):
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "song.mp3").write_bytes(b"")
    publish(export, "--out", tmp_path / "music", status=1)
    publish(export, "--out", tmp_path / "music" / "song.mp3", status=1)
    publish(tmp_path / "music", "--out", tmp_path / "out", status=1)
    publish("temop", "--out", tmp_path / "out", status=1)
    errors = capsys.readouterr().err
    assert "song.mp3 exists and is not an export" in errors and "temop: there is no such file or folder" in errors
    assert "music exists and is not an export; name another folder" in errors and "has no config.json" in errors
    assert (tmp_path / "music" / "song.mp3").exists()


@pytest.mark.slow
def test_the_same_training_gives_the_same_files(program, tiny_music, tmp_path):
    """What `make pretrained` does, with a training of one epoch; also in another folder and at another time."""
    published = []
    for attempt in ("one", "two"):
        run = tmp_path / attempt
        program("train.py", "+experiment/pretrained=tempo", f"data.manifest={tiny_music}", "data.test_splits=[test]",
                "trainer.max_epochs=1", "model.width=8", "data.chunks_per_track=1", "logger=csv",
                f"paths.cache={tmp_path / 'cache'}", f"hydra.run.dir={run}")  # fmt: skip
        publish_export(run / "export", tmp_path / f"{attempt} published")
        published.append({file.name: file.read_bytes() for file in (tmp_path / f"{attempt} published").iterdir()})
    assert published[0] == published[1] and len(published[0]) == 5
    assert str(tmp_path).encode() not in b"".join(published[0].values())


@pytest.mark.parametrize("name", ["tempo", "key", "beats"])
def test_what_ships_is_as_its_record_says_and_names_no_folder_of_a_machine(name):
    folder = SHIPPED / name
    assert not find_damage(folder)
    model = read_export(folder)
    assert [head.name for head in model.heads] == [name]
    assert (model.config["licence"], model.config["created"]) == ("MIT", None)
    assert model.config["card"] == json.loads((ROOT / "experiments" / "pretrained" / f"{name}_card.json").read_text())
    texts = [(folder / file).read_text() for file in ("config.json", "metrics.json", "README.md")]
    assert not re.search(r"(?<![\w.])/(?:work|home|root|tmp|mnt|data)/", "".join(texts))
    assert all(section["rows"] for section in model.config["card"]["measured"])


@pytest.mark.skipif(shutil.which("make") is None, reason="no program make")
@pytest.mark.parametrize("chosen", [["tempo", "key"], ["beats"]])
def test_make_pretrained_trains_on_one_thread_with_the_manifest_it_is_given(chosen):
    make = ["make", "--dry-run", "--old-file", ".venv/.installed", "pretrained"]
    given = ["data.manifest=some music/m.csv", "OVERRIDES=seed=1", *(["NAMES=beats"] if chosen == ["beats"] else [])]
    done = subprocess.run([*make, *given], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (names,) = set(re.findall(r"for name in (.*);", done.stdout))
    assert names.split() == chosen
    for name in names.split():
        assert (ROOT / "experiments" / "pretrained" / f"{name}.yaml").is_file()
    command = " ".join(done.stdout.replace("\\\n", " ").split())
    assert "OMP_NUM_THREADS=1 " in command and " 'data.manifest=some music/m.csv' " in command and " seed=1;" in command
    assert '--out "musicrec/export/pretrained/$name"' in command


@pytest.mark.skipif(shutil.which("make") is None, reason="no program make")
def test_make_pretrained_without_a_manifest_says_what_to_give():
    make = ["make", "--old-file", ".venv/.installed", "pretrained"]
    done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "make pretrained data.manifest=PATH: name the manifest" in done.stderr
