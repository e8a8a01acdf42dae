"""Uploads: received into files with random names, analysed in the worker process, and removed.

Nothing of an upload enters the library. What is kept of it is in memory, but for a preview that the player plays; both
are removed when the upload is deleted, an hour after it was last asked for, or with the server.
"""

import asyncio
import contextlib
import errno
import logging
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from musicrec.audio.preview import BITS_PER_S, MEDIA_TYPE
from musicrec.audio.stream_kind import BROWSER_TYPES
from musicrec.errors import MusicrecError
from musicrec.recommend.track import Track
from musicrec.web import messages
from musicrec.web.errors import WebError
from musicrec.web.jobs import Job, JobCancelled, JobControl, Jobs, too_many
from musicrec.web.server_folder import free_bytes
from musicrec.web.settings import UploadLimits
from musicrec.web.shares import first_of_largest_share
from musicrec.web.upload_names import new_upload_id, safe_suffix, shown_name
from musicrec.web.worker_process import TaskLimits, WorkerProcess

log = logging.getLogger("musicrec.web")

ANALYSIS = "analysis"
"""The lane of jobs that need the models."""
KEEP_S = 3600.0
LIMITS = TaskLimits(wall_s=15 * 60.0, cpu_s=60 * 60.0, memory_bytes=6 << 30)
_CONVERT_LIMITS = TaskLimits(wall_s=15 * 60.0, cpu_s=60.0, memory_bytes=1 << 30)
ADDRESSES_BYTES = 5 << 30
"""How much more memory than its models the worker process may ask for; the audio of two hours takes about two GB."""
_STALLED_S = 30.0  # without a byte
_LEAST_BYTES_PER_S, _BEGIN_S = 16_384, 30.0  # a client that sends less holds a place that others wait for
_WRITTEN_BYTES = 1 << 20
_LEFT_BYTES = 1 << 30  # on the disk, besides the file
_MOST_KEPT, _KEPT_BYTES = 200, 4 << 30
_SWEPT_EVERY_S = 30.0


@dataclass(kw_only=True, eq=False)
class Upload:
    """An upload.

    Attributes:
        id: Its name in addresses; see `new_upload_id`.
        owner: The user who sent it; nobody else sees it.
        name: The name to show.
        job: The job that analyses it.
        track: What is known of it; None before it was analysed.
        peaks: The outline of its waveform, (1500,) uint8; None before.
        details: Curves and predictions over time, in plain JSON types; None before.
        spectrogram: A PNG; b"" before.
        preview: What the player plays: the file itself or an MP3 of it; None if there is none, or not yet.
        media_type: Its type.
        converting: Makes the MP3; None if that is not needed.
        used: When it was last asked for, on the clock of `Uploads`.
    """

    id: str
    owner: str
    name: str
    job: Job
    track: Track | None = None
    peaks: np.ndarray | None = None
    details: dict[str, Any] | None = None
    spectrogram: bytes = b""
    preview: Path | None = None
    media_type: str = MEDIA_TYPE
    converting: "asyncio.Task[None] | None" = None
    used: float

    @property
    def preview_bytes(self) -> int:
        """Size of what the player plays."""
        try:
            return 0 if self.preview is None else self.preview.stat().st_size
        except OSError:
            return 0


class Uploads:
    """The uploads of a server. It is for one event loop.

    Args:
        folder: Where files are written; it belongs to this server alone.
        limits: How much may be uploaded.
        jobs: Where analyses wait.
        worker: Does them.
        converter: Converts what browsers do not play, so that analyses do not wait for it.
        models: What the worker needs to find the models: "library" and "device".
        clock: The time in seconds.
    """

    def __init__(
        self,
        folder: Path,
        *,
        limits: UploadLimits,
        jobs: Jobs,
        worker: WorkerProcess,
        converter: WorkerProcess,
        models: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._limits, self._jobs, self._worker = folder, limits, jobs, worker
        self._converter, self._models, self._clock = converter, dict(models), clock
        self._uploads: dict[str, Upload] = {}
        self._busy: Counter[str] = Counter()  # {owner: number}: being received, waiting, or being analysed

    @property
    def limits(self) -> UploadLimits:
        """How much may be uploaded."""
        return self._limits

    @property
    def busy(self) -> int:
        """Number of uploads that are being received, wait, or are being analysed."""
        return self._busy.total()

    @property
    def kept(self) -> int:
        """Number of uploads that can be asked about."""
        return sum(upload.track is not None for upload in self._uploads.values())

    async def receive(
        self, name: str, body: AsyncIterator[bytes], *, owner: str, stated_bytes: int | None = None
    ) -> Upload:
        """Receive a file and let its analysis wait for its turn.

        Args:
            name: The name that the client gives it.
            body: The bytes.
            owner: The user.
            stated_bytes: How many there are, if the client says so.

        Raises:
            WebError: It is empty (400), too large (413), too slow (408), there are too many (429), or there is no room
                on the disk (507).
        """
        if stated_bytes is not None and stated_bytes > self._limits.size_bytes:
            raise self._too_large()
        if self.busy >= self._limits.waiting or self._busy[owner] >= (self._limits.each or self._limits.waiting):
            raise too_many(f"{self._busy[owner]} of your uploads, and {self.busy} in all, are waiting already")
        if free_bytes(self._folder) < (stated_bytes or 0) + _LEFT_BYTES:
            raise _no_room()
        self._busy[owner] += 1
        path = self._folder / f"{secrets.token_hex(16)}{safe_suffix(name)}"
        try:
            await self._write(path, body)
            return self._wait(path, shown_name(name), owner)
        except BaseException:
            self._busy[owner] -= 1
            path.unlink(missing_ok=True)
            raise

    def find(self, upload_id: str, owner: str | None = None) -> Upload:
        """Return an upload.

        Raises:
            WebError: There is none with this id, it is another user's (404), or it has not been analysed (409).
        """
        upload = self._uploads.get(upload_id)
        if upload is None or owner not in (None, upload.owner):
            raise WebError(404, "there is no such upload; it is removed an hour after it was last used, send it again")
        if upload.track is None:
            raise WebError(409, f"{upload.name} is still being analysed; wait until its job is done")
        upload.used = self._clock()
        return upload

    def track(self, upload_id: str, owner: str | None = None) -> Track:
        """Return an upload as a track, to ask with.

        Raises:
            WebError: As for `find`.
        """
        track = self.find(upload_id, owner).track
        assert track is not None
        return track

    async def playable(self, upload_id: str, owner: str | None = None) -> tuple[Path, str]:
        """Return the file that the player plays and its media type; wait until it is converted.

        Raises:
            WebError: As for `find`; or it could not be converted (404).
        """
        upload = self.find(upload_id, owner)
        if upload.converting is not None:
            await asyncio.wait({upload.converting})
        if upload.preview is None:
            raise WebError(404, "there is no preview of this upload, because it could not be converted")
        return upload.preview, upload.media_type

    async def stop(self) -> None:
        """End what is being converted."""
        for upload in list(self._uploads.values()):
            self._remove(upload)

    def delete(self, upload_id: str, owner: str | None = None) -> None:
        """Remove an upload, and stop its analysis.

        Raises:
            WebError: There is none with this id, or it is another user's (404).
        """
        upload = self._uploads.get(upload_id)
        if upload is None or owner not in (None, upload.owner):
            raise WebError(404, "there is no such upload")
        with contextlib.suppress(WebError):
            self._jobs.cancel(upload.job.id)
        self._remove(upload)

    async def sweep(self) -> None:
        """Remove uploads that nobody has asked for, for ever."""
        while True:
            await asyncio.sleep(_SWEPT_EVERY_S)
            self.remove_old()

    def remove_old(self) -> None:
        """Remove the uploads that nobody has asked for in the last hour."""
        until = self._clock() - KEEP_S
        for upload in list(self._uploads.values()):
            if upload.used < until and upload.track is not None:
                self._remove(upload)

    async def _write(self, path: Path, body: AsyncIterator[bytes]) -> None:
        begin, received, parts, waiting = time.monotonic(), 0, list[bytes](), 0
        chunks = aiter(body)
        try:
            with open(path, "xb") as file:
                while True:
                    try:
                        chunk = await asyncio.wait_for(anext(chunks), _STALLED_S)
                    except StopAsyncIteration:
                        break
                    received += len(chunk)
                    if received > self._limits.size_bytes:
                        raise self._too_large()
                    if time.monotonic() > begin + _BEGIN_S + received / _LEAST_BYTES_PER_S:
                        raise asyncio.TimeoutError
                    parts.append(chunk)
                    waiting += len(chunk)
                    if waiting >= _WRITTEN_BYTES:
                        if free_bytes(self._folder) < _LEFT_BYTES:  # others write, too, and not all say how much
                            raise _no_room()
                        await asyncio.to_thread(file.writelines, parts)
                        parts, waiting = [], 0
                file.writelines(parts)
        except asyncio.TimeoutError:
            raise WebError(408, "the upload is too slow; nothing of it was kept") from None
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise _no_room() from None
            raise
        if not received:
            raise WebError(400, "the upload is empty (0 bytes)")

    def _wait(self, path: Path, name: str, owner: str) -> Upload:
        upload_id = new_upload_id()

        async def analyse(control: JobControl) -> dict[str, Any]:
            return await self._analyse(self._uploads[upload_id], path, control)

        def end(job: Job) -> None:
            self._busy[owner] -= 1
            upload = self._uploads.get(upload_id)
            if upload is not None and upload.track is None:  # it failed or was cancelled
                self._remove(upload)
            if upload is None or upload.converting is None:
                path.unlink(missing_ok=True)

        job = self._jobs.submit("analysis", analyse, lane=ANALYSIS, owner=owner, track=upload_id, on_end=end)
        job.message = name
        upload = Upload(id=upload_id, owner=owner, name=name, job=job, used=self._clock())
        self._uploads[upload_id] = upload
        self._remove_too_many()
        return upload

    def _remove_too_many(self) -> None:
        """If there are many, or large ones, remove what was asked for longest ago of whoever has the most."""
        kept = sorted((one for one in self._uploads.values() if one.track is not None), key=lambda one: one.used)
        while (many := len(kept) > _MOST_KEPT) or sum(one.preview_bytes for one in kept[1:]) > _KEPT_BYTES:
            oldest = first_of_largest_share(kept, size=lambda one: 1 if many else one.preview_bytes)
            kept.remove(oldest)
            self._remove(oldest)

    async def _analyse(self, upload: Upload, path: Path, control: JobControl) -> dict[str, Any]:
        limits = {"longest_s": self._limits.duration_s, "memory_bytes": ADDRESSES_BYTES}
        arguments = {**self._models, "path": str(path), "name": upload.name, **limits}
        try:
            done = await self._worker.run("analyse", arguments, limits=LIMITS, control=control)
            kept = self._uploads.get(upload.id)
            if kept is None:  # it was deleted meanwhile
                raise MusicrecError("it was deleted")
            upload.track = messages.track_of(done["track"])
            upload.peaks, upload.details, upload.spectrogram = done["peaks"], done["details"], done["spectrogram"]
            if done["playable"] in BROWSER_TYPES:
                upload.preview, upload.media_type = path.replace(self._folder / upload.id), done["playable"]
            else:
                upload.converting = asyncio.ensure_future(self._convert(upload, path))
                upload.converting.add_done_callback(lambda _: path.unlink(missing_ok=True))
        except JobCancelled:  # what was done by then holds arrays, which no job can
            raise JobCancelled from None
        except (KeyError, TypeError, ValueError):
            raise MusicrecError(f"{upload.name}: the analysis gave no answer") from None
        except MusicrecError as error:
            text = str(error).replace(str(path), upload.name).replace(path.name, upload.name)
            raise MusicrecError(text if upload.name in text else f"{upload.name}: {text}") from None
        return {"track": upload.id, "name": upload.name}

    async def _convert(self, upload: Upload, path: Path) -> None:
        """Make what the player plays of a file that browsers do not play, and remove the file."""
        preview = self._folder / upload.id
        most_bytes = int(self._limits.duration_s * BITS_PER_S / 8)
        arguments = {"path": str(path), "preview": str(preview), "preview_bytes": most_bytes}
        try:
            await self._converter.run("preview", arguments, limits=_CONVERT_LIMITS)
            upload.preview = preview if preview.is_file() else None
        except MusicrecError as error:
            log.info("%s cannot be converted: %s", upload.name, error)
        finally:
            if upload.preview is None:
                preview.unlink(missing_ok=True)

    def _remove(self, upload: Upload) -> None:
        self._uploads.pop(upload.id, None)
        if upload.converting is not None:
            upload.converting.cancel()
        if upload.preview is not None:
            upload.preview.unlink(missing_ok=True)
            upload.preview = None

    def _too_large(self) -> WebError:
        return WebError(
            413, f"the upload is larger than {self._limits.size_bytes / 2**20:.0f} MB; convert it, or cut it"
        )


def _no_room() -> WebError:
    return WebError(507, "the disk of the server has no room for it")
