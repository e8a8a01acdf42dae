"""Versions of a recording are found among many recordings."""

import numpy as np
import pytest

from musicrec.errors import ConfigError
from musicrec.recommend.fingerprint import SIZE_BYTES
from musicrec.recommend.versions import SameRecording, Versions, group_versions


def code(seed: int) -> bytes:
    return np.random.default_rng(seed).bytes(SIZE_BYTES)


def changed(fingerprint: bytes, share: float, seed: int = 99) -> bytes:
    """Flip some of the bits."""
    bits = np.unpackbits(np.frombuffer(fingerprint, np.uint8))
    flipped = np.random.default_rng(seed).random(len(bits)) < share
    return np.packbits(bits ^ flipped).tobytes()


@pytest.fixture
def versions() -> Versions:
    """A thousand recordings."""
    versions = Versions()
    for seed in range(1000):
        versions.add(f"recording {seed}", 100.0 + seed % 50, code(seed))
    return versions


@pytest.mark.parametrize("seed", [0, 255, 256, 999])
def test_finds_a_version_among_many(versions, seed):
    assert versions.find(101.0 + seed % 50, changed(code(seed), 0.1)) == f"recording {seed}"
    assert len(versions) == 1000


def test_finds_nothing_for_new_music(versions):
    assert versions.find(120.0, code(5000)) is None
    assert Versions().find(120.0, code(5000)) is None


def test_is_no_version_if_it_sounds_too_different(versions):
    # 1 - 2 * 0.25 = 0.5 is below the limit of 0.6
    assert versions.find(107.0, changed(code(7), 0.25)) is None


def test_is_no_version_if_the_durations_differ(versions):
    assert versions.find(107.0 + 6.9, code(7)) == "recording 7"
    assert versions.find(107.0 + 7.1, code(7)) is None


def test_all_versions_refer_to_the_first_recording():
    versions = Versions()
    versions.add("original", 100.0, code(1))
    other = changed(code(1), 0.15)
    versions.add("remaster", 100.0, other, version_of="original")
    assert versions.find(100.0, changed(other, 0.02)) == "original"


def test_takes_the_recording_that_is_most_alike():
    versions = Versions()
    versions.add("near", 100.0, changed(code(1), 0.15))
    versions.add("nearer", 100.0, changed(code(1), 0.05))
    assert versions.find(100.0, code(1)) == "nearer"


@pytest.mark.parametrize("missing", [None, b""])
def test_recordings_without_a_fingerprint_have_no_versions(missing):
    versions = Versions()
    versions.add("short", 10.0, missing)
    assert len(versions) == 0
    assert versions.find(10.0, missing) is None


def test_groups_recordings_in_their_order():
    recordings = [
        ("a", 60.0, code(1)),
        ("b", 61.0, code(2)),
        ("a again", 60.5, changed(code(1), 0.05)),
        ("short", 5.0, b""),
        ("a once more", 59.0, changed(code(1), 0.1)),
        ("old", 60.0, None),
    ]
    assert group_versions(recordings) == {"a again": "a", "a once more": "a"}


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="similarity=2"):
        SameRecording(similarity=2)
    assert group_versions([("a", 60.0, code(1)), ("b", 60.0, changed(code(1), 0.25))], SameRecording(similarity=0.4))
