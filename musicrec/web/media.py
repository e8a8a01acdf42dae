"""What the page plays and draws of a track: audio, waveform, spectrogram and curves."""

import asyncio
import os
import stat
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from musicrec.audio import preview
from musicrec.audio.peaks import PEAKS
from musicrec.audio.stream_kind import browser_type
from musicrec.errors import MusicrecError
from musicrec.recommend.track import Track
from musicrec.web.errors import WebError
from musicrec.web.jobs import Job, JobCancelled, JobControl, Jobs
from musicrec.web.messages import track_of
from musicrec.web.transcode import Previews
from musicrec.web.uploads import ADDRESSES_BYTES, ANALYSIS, LIMITS
from musicrec.web.worker_process import TaskLimits, WorkerProcess

LONGEST_S = 4 * 3600.0
"""Longest audio whose waveform is held in memory to draw it."""
_PEAKS_LIMITS = TaskLimits(wall_s=300.0, cpu_s=300.0, memory_bytes=4 << 30)
_PEAKS_BYTES = 3 << 30
_MOST_PEAKS, _MOST_DETAILS, _MOST_WAITING, _MOST_PARTS = 5000, 64, 100, 4

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """Keeps some values, and forgets those that were wanted least recently.

    Args:
        most: How many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[str, Value] = OrderedDict()

    def get(self, key: str) -> Value | None:
        """Return a value; None if it is not here."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: str, value: Value) -> None:
        """Keep a value."""
        self._values[key] = value
        self._values.move_to_end(key)
        while len(self._values) > self._most:
            self._values.popitem(last=False)


@dataclass(frozen=True, kw_only=True)
class Outline:
    """The outline of a waveform.

    Attributes:
        duration_s: Length of the audio in seconds.
        peaks: (1500,) uint8, of which 255 is an amplitude of 1.
    """

    duration_s: float
    peaks: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What is drawn of a track.

    Attributes:
        details: Curves and predictions over time, in plain JSON types.
        spectrogram: A PNG.
    """

    details: dict[str, Any]
    spectrogram: bytes


@dataclass(frozen=True, kw_only=True)
class PlayableFile:
    """A file that browsers play.

    Attributes:
        path: The file.
        media_type: Its type.
        facts: Size and times.
    """

    path: Path
    media_type: str
    facts: os.stat_result


class Media:
    """Audio, waveforms and pictures of the tracks of a library. It is for one event loop.

    Args:
        jobs: Where the computing of pictures waits.
        analysis: The worker process that has the models.
        drawing: One that needs none, so that waveforms do not wait for analyses.
        previews: Files that browsers do not play, in a format that they do.
        models: What the worker needs to find the models: "library" and "device".
    """

    def __init__(
        self,
        *,
        jobs: Jobs,
        analysis: WorkerProcess,
        drawing: WorkerProcess,
        previews: Previews,
        models: Mapping[str, str],
    ) -> None:
        self._jobs, self._analysis, self._drawing, self._previews = jobs, analysis, drawing, previews
        self._models = dict(models)
        self._outlines, self._pictures = Recent[Outline](_MOST_PEAKS), Recent[Picture](_MOST_DETAILS)
        self._drawn: dict[str, asyncio.Task[Outline]] = {}
        self._looked_at: dict[str, Job] = {}
        self._parts = 0  # that are waited for

    async def audio(self, track_id: str, path: str, *, as_mp3: bool = False) -> PlayableFile:
        """Return the file of a track, or a preview of it if browsers do not play its format.

        Args:
            track_id: The track.
            path: Its file.
            as_mp3: For a browser that does not play what others do: a preview, unless the file is an MP3.

        Raises:
            AudioError: No preview can be made.
            WebError: The file is not there (404), or too many previews are being made (503).
        """
        file = await asyncio.to_thread(_as_it_is, Path(path))
        if file is not None and (not as_mp3 or file.media_type == preview.MEDIA_TYPE):
            return file
        made = await self._previews.of(track_id, path)
        return await asyncio.to_thread(existing_file, made, preview.MEDIA_TYPE)

    async def outline(self, track_id: str, path: str) -> Outline:
        """Return the outline of a track that the library has none of: computed from its file, and kept for a while.

        Args:
            track_id: The track.
            path: Its file.

        Raises:
            MusicrecError: The file cannot be decoded.
            WebError: Too many are waited for (503).
        """
        found = self._outlines.get(track_id)
        if found is not None:
            return found
        if track_id not in self._drawn:
            if len(self._drawn) >= _MOST_WAITING:
                raise WebError(503, "too many waveforms are being drawn; try again", headers={"Retry-After": "5"})
            task = asyncio.ensure_future(self._draw(track_id, path))
            self._drawn[track_id] = task
            task.add_done_callback(lambda done: self._was_drawn(track_id, done))
        return await asyncio.shield(self._drawn[track_id])

    def picture(self, track_id: str) -> Picture | None:
        """Return what was computed of a track; None if that has not been done, or is forgotten."""
        return self._pictures.get(track_id)

    def look(self, track_id: str, path: str, *, owner: str) -> Job:
        """Let the picture of a track be computed; return the job, which is done already if there is one.

        Args:
            track_id: The track.
            path: Its file.
            owner: The user who asks.

        Raises:
            WebError: Too many jobs are waiting (429).
        """
        if self._pictures.get(track_id) is not None:
            return self._jobs.finished("details", owner=owner, track=track_id)
        running = self._looked_at.get(track_id)
        if running is not None and running.owner == owner:
            return running

        async def work(control: JobControl) -> dict[str, Any]:
            if self._pictures.get(track_id) is None:
                limits = {"longest_s": LONGEST_S, "memory_bytes": ADDRESSES_BYTES}
                arguments = {**self._models, "path": path, **limits}
                try:
                    done = await self._analysis.run("details", arguments, limits=LIMITS, control=control)
                except JobCancelled as late:  # it may have been done by then, and holds a picture, which no job can
                    if late.result is not None:
                        self._pictures.put(track_id, picture_of(late.result))
                    raise JobCancelled({"track": track_id}) from None
                self._pictures.put(track_id, picture_of(done))
            return {"track": track_id}

        def end(job: Job) -> None:
            if self._looked_at.get(track_id) is job:
                del self._looked_at[track_id]

        job = self._jobs.submit("details", work, lane=ANALYSIS, owner=owner, track=track_id, on_end=end)
        self._looked_at[track_id] = job
        return job

    async def part(self, path: str, at_s: float) -> Track:
        """Return a part of a file as a track, analysed in the worker process.

        Args:
            path: The file.
            at_s: Where the part begins in seconds.

        Raises:
            MusicrecError: The file cannot be decoded, or ends before.
            WebError: Too many parts are being analysed (503).
        """
        if self._parts >= _MOST_PARTS:
            raise WebError(503, "too many parts of tracks are being analysed; try again", headers={"Retry-After": "5"})
        self._parts += 1
        try:
            limits = {"longest_s": LONGEST_S, "memory_bytes": ADDRESSES_BYTES}
            arguments = {**self._models, "path": path, "at_s": at_s, **limits}
            return track_of((await self._analysis.run("part", arguments, limits=LIMITS))["track"])
        except (KeyError, TypeError, ValueError):
            raise MusicrecError("the worker process gave no track") from None
        finally:
            self._parts -= 1

    async def stop(self) -> None:
        """End what is being drawn."""
        for task in list(self._drawn.values()):
            task.cancel()
        await asyncio.gather(*self._drawn.values(), return_exceptions=True)
        await self._previews.stop()

    async def _draw(self, track_id: str, path: str) -> Outline:
        arguments = {"path": path, "longest_s": LONGEST_S, "memory_bytes": _PEAKS_BYTES}
        outline = outline_of(await self._drawing.run("peaks", arguments, limits=_PEAKS_LIMITS))
        self._outlines.put(track_id, outline)
        return outline

    def _was_drawn(self, track_id: str, task: "asyncio.Task[Outline]") -> None:
        self._drawn.pop(track_id, None)
        if not task.cancelled():
            task.exception()  # whoever still waits has it


def existing_file(path: Path, media_type: str) -> PlayableFile:
    """Return a file that is there.

    Raises:
        WebError: It is not (404).
    """
    try:
        facts = path.stat()
    except (OSError, ValueError):
        raise WebError(404, "the file of this track is not there; index its folder again") from None
    if not stat.S_ISREG(facts.st_mode):
        raise WebError(404, "the file of this track is not there; index its folder again")
    return PlayableFile(path=path, media_type=media_type, facts=facts)


def outline_of(answer: Any) -> Outline:
    """Return the outline in the answer of a worker process.

    Raises:
        MusicrecError: There is none.
    """
    try:
        peaks, duration_s = answer["peaks"], float(answer["duration_s"])
        if isinstance(peaks, np.ndarray) and peaks.shape == (PEAKS,) and peaks.dtype == np.uint8:
            return Outline(duration_s=duration_s, peaks=peaks)
    except (KeyError, TypeError, ValueError):
        pass
    raise MusicrecError("the worker process gave no waveform")


def picture_of(answer: Any) -> Picture:
    """Return the picture in the answer of a worker process.

    Raises:
        MusicrecError: There is none.
    """
    try:
        details, spectrogram = answer["details"], answer["spectrogram"]
        if isinstance(details, dict) and isinstance(spectrogram, bytes) and spectrogram[:4] == b"\x89PNG":
            return Picture(details=details, spectrogram=spectrogram)
    except (KeyError, TypeError):
        pass
    raise MusicrecError("the worker process gave no picture")


def _as_it_is(path: Path) -> PlayableFile | None:
    """Return a file if browsers play it as it is.

    Raises:
        WebError: It is not there (404).
    """
    file = existing_file(path, "")
    try:
        media_type = browser_type(path)
    except OSError:
        raise WebError(404, "the file of this track cannot be read") from None
    return None if media_type is None else PlayableFile(path=path, media_type=media_type, facts=file.facts)
