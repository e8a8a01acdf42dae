"""`musicrec models`, as a user runs it."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

import musicrec
from musicrec.export import catalogue
from musicrec.export.checksums import write_checksums
from musicrec.export.folder import read_export
from musicrec.programs.command import main
from tests.web_host import Host

ROOT = Path(__file__).parents[2]
CLASSES = (ROOT / "docs" / "magnatagatune_top50.txt").read_text().split("\n")[:50]
ABOUT = {"licence": "MIT", "source": "here", "trained_on": "nothing", "measured": [], "predicts": "nothing"}
COMMAND = """
import pathlib, sys
from musicrec.export import catalogue
catalogue.FILE = pathlib.Path(sys.argv[1])
from musicrec.programs.command import main
main(sys.argv[2:])
"""


def run(*arguments: object) -> int:
    """Run the command in this process and return its exit status."""
    with pytest.raises(SystemExit) as end:
        main(["models", *map(str, arguments)])
    return int(end.value.code or 0)


def start(*arguments: object) -> subprocess.Popen:
    """Run the command in another process."""
    command = [sys.executable, "-c", COMMAND, str(catalogue.FILE), "models", *map(str, arguments)]
    return subprocess.Popen(
        command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture
def models(host: Host, public_crnn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of fetched models, for a catalogue with one model that ships and one from a server."""
    content = public_crnn.read_bytes()
    host.files["crnn.pth"] = content
    sha256 = hashlib.sha256(content).hexdigest()
    written = {
        "models": {
            "ours": {"heads": ["tempo"], **ABOUT},
            "tagger": {
                "download": "file",
                "heads": ["tags_mtt"],
                "settings": {"architecture": "crnn", "head": "tags_mtt", "licence": "MIT", "classes": CLASSES},
                **ABOUT,
                "measured": [{"what": "ROC-AUC", "value": 0.9, "data": "music", "by": "somebody"}],
            },
        },
        "downloads": {
            "file": {
                "url": host.url("crnn.pth"),
                "file": "crnn.pth",
                "bytes": len(content),
                "sha256": sha256,
                "importer": "musicrec.export.public_weights.import_checkpoint",
            }
        },
    }
    (tmp_path / "catalogue.yaml").write_text(yaml.safe_dump(written, sort_keys=False))
    ships = tmp_path / "pretrained" / "ours"
    ships.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (ships / name).write_text("{}")
    write_checksums(ships)
    monkeypatch.setattr(catalogue, "FILE", tmp_path / "catalogue.yaml")
    monkeypatch.setattr(catalogue, "SHIPPED", tmp_path / "pretrained")
    monkeypatch.setenv("MUSICREC_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def test_the_list_says_what_every_model_is(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("MUSICREC_MODELS", str(tmp_path))
    assert run() == 0
    printed = capsys.readouterr().out
    for entry in catalogue.entries().values():
        assert f"\n{entry.name} (" in f"\n{printed}"
        for fact in (entry.predicts, entry.trained_on, entry.licence, entry.source):
            assert fact in printed
    assert "musicnn_msd (not fetched, 29 MB to fetch, ISC licence)" in printed
    assert "ROC-AUC 0.880 on Million Song Dataset test" in printed
    assert run("--json") == 0
    listed = json.loads(capsys.readouterr().out)
    names = ["tempo", "key", "beats", "musicnn_mtt", "musicnn_msd", "mtat_crnn", "skey"]
    assert [model["name"] for model in listed] == names
    assert listed[4]["download"]["requirement"] == "musicnn==0.1.0" and listed[4]["bytes"] is None


@pytest.mark.slow
def test_a_fetched_model_answers_by_its_name(host: Host, models: Path, capsys: pytest.CaptureFixture):
    assert run("get", "tagger", "ours") == 0
    assert capsys.readouterr().out.splitlines() == [
        "ours: ships with musicrec; there is nothing to fetch",
        f"tagger: {models / 'tagger'}",
    ]
    analyzer = musicrec.load("tagger")
    assert analyzer.heads["tags_mtt"].classes == tuple(CLASSES)
    assert analyzer.predict(np.zeros(464_000, dtype=np.float32))["tags_mtt"].shape == (1, 50)
    size = sum(file.stat().st_size for file in (models / "tagger").iterdir())
    assert run() == 0
    assert f"tagger (fetched, {size / 1e6:.1f} MB, MIT licence)" in capsys.readouterr().out
    assert run("get", "file") == 0
    assert capsys.readouterr().out == f"tagger: fetched already; see {models}\n"
    assert len(host.requests) == 1
    for name, folder in (("tagger", models / "tagger"), ("ours", catalogue.SHIPPED / "ours"), (None, models)):
        assert run("path", *([name] if name else [])) == 0
        assert capsys.readouterr().out == f"{folder}\n"


@pytest.mark.slow
def test_verify_finds_a_flipped_byte_and_remove_removes(host: Host, models: Path, capsys: pytest.CaptureFixture):
    run("get", "tagger")
    capsys.readouterr()
    assert run("verify") == 0
    assert capsys.readouterr().out == "ours: as recorded\ntagger: as recorded\n"
    weights = models / "tagger" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert run("verify") == 1
    printed = capsys.readouterr()
    assert printed.out.startswith(f"ours: as recorded\n{weights}: its SHA-256 is ")
    assert printed.err == "error: tagger: damaged; mend by `musicrec models get tagger`\n"
    assert run("remove", "tagger") == 0 and run("remove", "tagger") == 0
    assert capsys.readouterr().out == "tagger: removed tagger\ntagger: is not on this machine\n"
    assert not (models / "tagger").exists()
    assert run("verify", "tagger") == 1
    assert "tagger: not on this machine; run `musicrec models get tagger`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["get", "taggr"], "taggr: no model has this name; did you mean tagger? the models are ours, tagger"),
        (["remove", "ours"], "ours: ships with musicrec and cannot be removed"),
        (["path", "tagger"], "tagger: has not been fetched; run `musicrec models get tagger`"),
        (["path", "taggr"], "taggr: no model has this name"),
        (["get", "ours", "--from", "x.pth"], "--from x.pth: is the file of one download; name its model alone"),
        (["get", "tagger", "--from", "x.pth"], "--from x.pth: No such file or directory; name the file crnn.pth"),
        (["verify", "taggr"], "taggr: no model has this name"),
    ],
)
def test_a_mistake_gets_one_message(models: Path, capsys: pytest.CaptureFixture, arguments: list, message: str):
    assert run(*arguments) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("error: ") and message in printed.err and not printed.out


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, "nothing happened for a minute"
        time.sleep(0.01)


@pytest.fixture
def slow_host(host: Host, models: Path) -> Host:
    """The server needs 16 pauses for the file, and tells versions of it apart."""
    content = host.files["crnn.pth"].ljust(1 << 20, b"\0")  # torch reads a ZIP file from its end
    digests = [hashlib.sha256(one).hexdigest() for one in (host.files["crnn.pth"], content)]
    file = catalogue.FILE
    file.write_text(file.read_text().replace(*digests).replace("public_weights.import_checkpoint", "made_up"))
    settings = yaml.safe_load(file.read_text())
    settings["downloads"]["file"]["importer"] = "tests.importers.make_export"
    settings["models"]["tagger"]["settings"] = {}
    file.write_text(yaml.safe_dump(settings, sort_keys=False))
    host.files["crnn.pth"], host.block_pause_s, host.tags = content, 0.1, True
    return host


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT], ids=["killed", "Ctrl-C"])
def test_an_ended_process_leaves_only_what_the_next_one_continues(slow_host: Host, models: Path, end: signal.Signals):
    part = models / ".downloads" / "file" / "crnn.pth.part"
    process = start("get", "tagger")
    wait_until(lambda: part.exists() and part.stat().st_size > 0)
    process.send_signal(end)
    printed, err = process.communicate()
    if end == signal.SIGINT:
        assert process.returncode == 130 and err.splitlines()[-1] == "interrupted"
    assert not printed and not (models / "tagger").exists()
    files = {path.name for path in models.rglob("*") if path.is_file()}
    assert files == {".lock", "crnn.pth.part", "crnn.pth.part.etag"}
    size = part.stat().st_size
    slow_host.block_pause_s = 0
    process = start("get", "tagger")
    printed, err = process.communicate()
    assert process.returncode == 0, err
    assert slow_host.requests == [("crnn.pth", 0), ("crnn.pth", size)]
    assert (models / "tagger" / "model.safetensors").read_bytes() == slow_host.files["crnn.pth"]


@pytest.mark.slow
def test_of_two_processes_one_fetches(slow_host: Host, models: Path):
    processes = [start("get", "tagger") for _ in range(2)]
    printed = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], printed
    assert slow_host.requests == [("crnn.pth", 0)]
    assert sorted(out for out, _ in printed) == [
        f"tagger: {models / 'tagger'}\n",
        f"tagger: fetched already; see {models}\n",
    ]


@pytest.mark.extra("onnx")
def test_a_model_becomes_an_onnx_file(tmp_path: Path, capsys: pytest.CaptureFixture):
    import onnxruntime

    assert run("onnx", "key", "--out", tmp_path / "key.onnx") == 0
    assert capsys.readouterr().out == f"key: {tmp_path / 'key.onnx'}\n"
    session = onnxruntime.InferenceSession(str(tmp_path / "key.onnx"))
    music = 0.1 * np.random.default_rng(0).standard_normal((2, 240_000), np.float32)
    _, found = session.run(None, {"waveform": music})
    expected = musicrec.TrackAnalyzer([read_export(catalogue.resolve("key"))], precision="float32", engine="torch")
    np.testing.assert_allclose(found, expected.predict(music)["key"], atol=1e-4)


def test_an_onnx_file_does_not_change_what_ships(capsys: pytest.CaptureFixture):
    before = sorted(catalogue.SHIPPED.rglob("*"))
    assert run("onnx", "key") == 1
    assert "key: ships with musicrec, so its folder stays as it is; add --out key.onnx" in capsys.readouterr().err
    assert run("onnx", "key", "tempo", "--out", "x.onnx") == 1
    assert "--out x.onnx: is the file of one model; name one export" in capsys.readouterr().err
    assert sorted(catalogue.SHIPPED.rglob("*")) == before
