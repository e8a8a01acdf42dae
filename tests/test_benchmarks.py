"""The benchmarks of deformations run, and print what they should."""

import re

import pytest


@pytest.fixture
def table(program):
    """table(script, *arguments): {first cell of a row: the other cells}."""

    def run(script: str, *arguments: str) -> dict[str, list[str]]:
        printed = program(f"benchmarks/{script}.py", *arguments).stdout
        rows = [re.split(r"\s*\|\s*", line.strip("| ")) for line in printed.splitlines() if line.startswith("| ")]
        return {name: cells for name, *cells in rows}

    return run


def test_cost_of_deformations(table):
    rows = table("deformations", "--batch-size", "1", "--turns", "1", "--deformations", "gain,polarity")
    assert rows.keys() == {"deformation", "forward pass of the Short-Chunk ResNet", "gain", "polarity"}
    assert float(rows["forward pass of the Short-Chunk ResNet"][1]) > 0 <= float(rows["gain"][1])


def test_cost_of_presets(table):
    rows = table("augmentation", "--batches", "1", "--batch-size", "2", "--presets", "none,robust")
    assert rows.keys() == {"augment", "training step of the network", "none", "robust"}
    assert float(rows["none"][0]) > 0 and float(rows["robust"][0]) > 0


def test_stretching(table):
    rows = table("stretching", "--rates", "1.05", "--semitones", "1")
    ours, vocoder = rows["musicrec: Signalsmith Stretch"], rows["torchaudio: phase vocoder, window 512"]
    for column in (0, 1):
        (error_db, onsets), (vocoder_db, vocoder_onsets) = (
            map(float, row[column].split(" / ")) for row in (ours, vocoder)
        )
        assert error_db < 2.5 < vocoder_db and onsets > 0.9 > vocoder_onsets
