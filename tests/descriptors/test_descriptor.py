"""How the values of descriptors are written and compared."""

import subprocess
import sys

import numpy as np
import pytest

from musicrec.descriptors import DESCRIPTORS, Descriptor

TEMPERATURE = Descriptor(name="temperature", unit="°C", digits=1, low=10, high=30, source="", meaning="")


def test_names_are_those_of_the_dictionary():
    assert all(name == descriptor.name for name, descriptor in DESCRIPTORS.items())
    assert list(DESCRIPTORS) == [
        "energy", "loudness", "loudness_range", "brightness", "roll_off", "zero_crossings", "onset_rate",
    ]  # fmt: skip


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_every_descriptor_has_a_range_and_a_source(name):
    descriptor = DESCRIPTORS[name]
    assert descriptor.low < descriptor.high and descriptor.source and descriptor.meaning.endswith(".")


def test_text():
    assert TEMPERATURE.text(21.26) == "21.3 °C"
    assert TEMPERATURE.text(-0.04) == "0.0 °C"
    assert TEMPERATURE.text(21.26, unit=False) == "21.3"
    assert DESCRIPTORS["loudness"].text(-14.239) == "-14.2 LUFS"
    assert DESCRIPTORS["energy"].text(7.04) == "7.0"
    assert DESCRIPTORS["brightness"].text(1234.6) == "1235 Hz"


def test_vectors():
    """A quarter of a circle from the lower to the upper end of the range; outside of it, its ends."""
    root = 0.5**0.5
    vectors = TEMPERATURE.vectors(np.array([10, 20, 30, -40, 99, np.nan]))
    expected = [[1, 0], [root, root], [0, 1], [1, 0], [0, 1], [0, 0]]
    np.testing.assert_allclose(vectors, expected, atol=1e-7)
    assert vectors.dtype == np.float32 and TEMPERATURE.vectors(np.zeros(0)).shape == (0, 2)


def test_importing_the_measurement_is_light():
    """SciPy is imported when something is measured."""
    code = "import sys, musicrec.descriptors.measurement; print({'scipy', 'torch'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("set()\n", "")
