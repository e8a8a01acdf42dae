"""What is played and drawn: previews and waveforms, made once and kept as long as there is room."""

import asyncio
import io
import os
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from musicrec.errors import AudioError
from musicrec.heads import Head
from musicrec.web.curves import MOST_POINTS, curves_of, predictions_of
from musicrec.web.errors import WebError
from musicrec.web.jobs import Jobs
from musicrec.web.media import Media, Recent
from musicrec.web.spectrogram import FLOOR_DB, HEIGHT, WIDTH, mel_levels, spectrogram_png
from musicrec.web.transcode import Previews
from musicrec.web.uploads import ANALYSIS
from musicrec.web.worker_process import WorkerProcess
from tests.web.test_worker_process import FAKE

RATE = 16_000


def sine(frequency_hz: float, seconds: float, amplitude: float = 0.5) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def script(code: str) -> Callable[..., list[str]]:
    """A command that runs Python instead of ffmpeg: `source` and `target` are its files."""

    def command(source: str, target: Path, *, most_bytes: int) -> list[str]:
        return [sys.executable, "-c", f"source, target = {str(source)!r}, {str(target)!r}\n{code}"]

    return command


def with_previews(folder: Path, use: Callable[[Previews], Coroutine], **settings: Any) -> Any:
    async def main() -> Any:
        previews = Previews(folder, **settings)
        try:
            return await asyncio.wait_for(use(previews), 30)
        finally:
            await previews.stop()

    return asyncio.run(main())


@pytest.fixture
def sources(tmp_path: Path) -> list[str]:
    for number in range(4):
        (tmp_path / f"{number}.aiff").write_bytes(bytes(10 * number))
    (tmp_path / "previews").mkdir()
    return [str(tmp_path / f"{number}.aiff") for number in range(4)]


def test_a_preview_is_made_once_also_for_many_who_ask_at_once(sources: list[str], tmp_path: Path):
    code = "import time; open(target, 'w').write('x'); open(source + '.log', 'a').write('.'); time.sleep(0.2)"

    async def use(previews: Previews) -> None:
        found = await asyncio.gather(*(previews.of("a", sources[1]) for _ in range(20)))
        assert len(set(found)) == 1 and found[0].read_text() == "x"
        assert await previews.of("a", sources[1]) == found[0]
        assert Path(f"{sources[1]}.log").read_text() == "."
        os.utime(sources[1], (1, 1))
        assert await previews.of("a", sources[1]) != found[0], "the file has changed"

    with_previews(tmp_path / "previews", use, command=script(code))


def test_those_that_were_wanted_least_recently_make_room(sources: list[str], tmp_path: Path):
    async def use(previews: Previews) -> None:
        first, second = [await previews.of(str(number), sources[number]) for number in range(2)]
        assert await previews.of("0", sources[0]) == first
        third = await previews.of("2", sources[2])
        assert not second.exists() and first.exists() and third.exists()

    with_previews(tmp_path / "previews", use, command=script("open(target, 'wb').write(bytes(1000))"), most_bytes=2500)


def test_a_preview_that_fails_or_takes_too_long_leaves_nothing(sources: list[str], tmp_path: Path):
    code = "open(target, 'w').write('x'); import sys; sys.exit('no such codec')"

    async def fails(previews: Previews) -> None:
        for _ in range(2):
            with pytest.raises(AudioError, match=r"1\.aiff: ffmpeg cannot convert it for browsers \(no such codec\)"):
                await previews.of("a", sources[1])

    async def hangs(previews: Previews) -> None:
        with pytest.raises(AudioError, match="does not finish"):
            await previews.of("a", sources[1])

    with_previews(tmp_path / "previews", fails, command=script(code))
    with_previews(tmp_path / "previews", hangs, command=script("import time; time.sleep(100)"), wall_s=0.5)
    assert not list((tmp_path / "previews").iterdir())


def test_who_gives_up_does_not_stop_it_for_others_and_stopping_does(sources: list[str], tmp_path: Path):
    async def use(previews: Previews) -> None:
        impatient = asyncio.ensure_future(previews.of("a", sources[1]))
        patient = asyncio.ensure_future(previews.of("a", sources[1]))
        await asyncio.sleep(0.05)
        impatient.cancel()
        assert (await patient).exists()
        stopped = asyncio.ensure_future(previews.of("b", sources[2]))
        await asyncio.sleep(0.05)
        begin = time.monotonic()
        await previews.stop()
        assert time.monotonic() - begin < 5
        with pytest.raises(asyncio.CancelledError):
            await stopped

    with_previews(
        tmp_path / "previews", use, command=script("import time; time.sleep(0.5); open(target, 'w').write('x')")
    )


def with_media(tmp_path: Path, use: Callable[..., Coroutine]) -> Any:
    async def main() -> Any:
        jobs, analysis, drawing = Jobs({ANALYSIS: 5}), WorkerProcess(FAKE), WorkerProcess(FAKE)
        jobs.start()
        media = Media(
            jobs=jobs, analysis=analysis, drawing=drawing, previews=Previews(tmp_path), models={"library": "/none"}
        )
        try:
            return await asyncio.wait_for(use(media, jobs), 30)
        finally:
            await media.stop()
            await jobs.stop()
            for worker in (analysis, drawing):
                await worker.stop()

    return asyncio.run(main())


def test_waveforms_and_pictures_are_computed_once(tmp_path: Path):
    async def use(media: Media, jobs: Jobs) -> None:
        outlines = await asyncio.gather(*(media.outline("a", "/a.wav") for _ in range(5)))
        assert all(outline is outlines[0] for outline in outlines) and outlines[0].peaks.tolist() == [255] * 1500
        assert media.picture("a") is None
        job, again = (media.look("a", "/a.wav", owner="me") for _ in range(2))
        assert job is again and (job.kind, job.track) == ("details", "a")
        while job.ended is None:
            await asyncio.sleep(0.01)
        assert media.picture("a").spectrogram == b"\x89PNG of /a.wav"
        assert media.look("a", "/a.wav", owner="me").state == "done"

    with_media(tmp_path, use)


def test_only_files_that_are_there_are_played(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")

    async def use(media: Media, jobs: Jobs) -> None:
        for path in (tmp_path / "none.mp3", tmp_path, tmp_path / "pipe", Path("/dev/zero"), Path("/a\0b")):
            with pytest.raises(WebError) as caught:
                await media.audio("a", str(path))
            assert caught.value.status == 404

    with_media(tmp_path, use)


def test_recent_values_are_kept():
    recent = Recent[int](2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == (1, None, 3)


def test_curves_of_tones():
    curves = curves_of(np.concatenate([sine(500, 3), np.zeros(3 * RATE, np.float32), sine(3000, 3)]), RATE)
    points = len(curves["roll_off_hz"])
    assert points == len(curves["zero_crossings_per_s"]) == 150 and curves["hop_s"] == pytest.approx(0.06)
    for part, hertz in ((slice(2, 48), 500), (slice(102, 148), 3000)):
        np.testing.assert_allclose(curves["roll_off_hz"][part], hertz, atol=32)  # one bin
        np.testing.assert_allclose(np.mean(curves["zero_crossings_per_s"][part]), 2 * hertz, rtol=0.01)
    assert curves["roll_off_hz"][55:95] == [None] * 40 and not any(curves["zero_crossings_per_s"][55:95])


@pytest.mark.parametrize("seconds", [0.001, 0.05, 1.0, 400.0])
def test_curves_have_few_points_whatever_the_length(seconds: float):
    waveform = np.random.default_rng(0).uniform(-0.5, 0.5, max(1, round(seconds * RATE))).astype(np.float32)
    curves = curves_of(waveform, RATE)
    points = len(curves["roll_off_hz"])
    assert 1 <= points == len(curves["zero_crossings_per_s"]) <= MOST_POINTS
    assert points * curves["hop_s"] == pytest.approx(len(waveform) / RATE, rel=1e-3)
    assert None not in curves["roll_off_hz"] or seconds < 0.1
    if seconds > 1:  # noise changes its sign at every second sample
        assert np.mean(curves["zero_crossings_per_s"]) == pytest.approx(RATE / 2, rel=0.01)


def test_the_mel_spectrogram_shows_tones_where_they_are():
    levels = mel_levels(np.concatenate([sine(500, 5), sine(2000, 5, 0.05)]), RATE)
    assert levels.shape == (HEIGHT, WIDTH) and levels.max() == 0 and levels.min() == FLOOR_DB
    mel = np.linspace(*(2595 * np.log10(1 + np.array([30, 8000]) / 700)), HEIGHT + 2)[1:-1]
    centres_hz = 700 * (10 ** (mel / 2595) - 1)
    for column, hertz, level_db in ((300, 500, 0), (900, 2000, -20)):
        band = levels[:, column].argmax()
        assert centres_hz[band] == pytest.approx(hertz, rel=0.03)
        assert levels[band, column] == pytest.approx(level_db, abs=4)  # high bands are wider, and a level is a mean


@pytest.mark.parametrize("seconds", [0.001, 1.0, 600.0])
def test_the_picture_is_small_whatever_is_in_it(seconds: float):
    waveform = np.random.default_rng(0).uniform(-1, 1, max(1, round(seconds * RATE))).astype(np.float32)
    png = spectrogram_png(waveform, RATE)
    assert len(png) < 200_000
    assert Image.open(io.BytesIO(png)).size == (WIDTH, HEIGHT)


def test_silence_has_the_darkest_picture():
    assert (mel_levels(np.zeros(RATE, np.float32), RATE) == FLOOR_DB).all()


def test_predictions_over_time(heads: dict[str, Head]):
    tags, tempo, key = heads["instruments"], heads["tempo"], heads["key"]

    def one_hot(head: Head, places: list[int]) -> np.ndarray:
        return np.eye(len(head.classes), dtype=np.float32)[places]

    at_120 = int(np.abs(tempo.centres_bpm - 120).argmin())
    found = predictions_of(
        heads,
        {
            "instruments": (np.array([1.0, 2.0, 3.0]), np.array([[0.9, 0, 0, 0.2]] * 3, np.float32)),
            "tempo": (np.array([1.5]), one_hot(tempo, [at_120])),
            "key": (np.array([0.5, 2.5]), one_hot(key, [key.classes.index("A minor"), key.classes.index("C major")])),
        },
    )
    assert found["times_s"] == [1.0, 2.0, 3.0] and found["key"] == ["8A", "8B", "8B"]
    assert found["bpm"] == [pytest.approx(120, abs=2)] * 3  # the classes of tempo are 2 % apart
    assert list(found["tags"]) == [tags.classes[place] for place in (0, 3, 1, 2)]
    assert found["tags"][tags.classes[0]] == [0.9] * 3
    assert predictions_of(heads, {}) == {"times_s": [], "tags": {}, "bpm": [], "key": []}
