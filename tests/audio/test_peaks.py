"""The outline of a waveform."""

import numpy as np

from musicrec.audio.peaks import PEAKS, peaks_of


def test_each_part_has_its_largest_amplitude():
    waveform = np.zeros(15_000, np.float32)
    waveform[[0, 9]], waveform[10], waveform[14_999] = (0.2, -0.5), 1.0, -1.0
    peaks = peaks_of(waveform)
    assert peaks.dtype == np.uint8 and peaks.shape == (PEAKS,)
    assert peaks[:2].tolist() == [128, 255] and peaks[-1] == 255  # 0.5 · 255 = 127.5
    assert not peaks[2:-1].any()


def test_the_parts_of_an_odd_length_leave_nothing_out():
    waveform = np.linspace(0, 1, 1_000_003, dtype=np.float32)
    peaks = peaks_of(waveform, 7)
    expected = [np.round(255 * waveform[1_000_003 * (part + 1) // 7 - 1]) for part in range(7)]
    assert peaks.tolist() == expected


def test_a_very_short_sound_repeats_its_samples():
    assert peaks_of(np.array([0.0, -1.0], np.float32), 4).tolist() == [0, 0, 255, 255]
