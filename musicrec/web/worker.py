"""A worker process of a server: analyses uploads, looks into tracks, and indexes folders.

It is started as `python -m musicrec.web.worker PARENT`, with the number of the process that it ends with.
"""

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from musicrec.audio.decode import Decoded, decode_track
from musicrec.audio.file_header import read_header
from musicrec.audio.peaks import peaks_of
from musicrec.audio.preview import write_preview
from musicrec.audio.stream_kind import browser_type
from musicrec.descriptors.loudness_meter import LoudnessMeter
from musicrec.errors import AudioError
from musicrec.recommend.query_track import analyze_file, find_track
from musicrec.recommend.recommender import Recommender
from musicrec.recommend.track import Track
from musicrec.system.progress import time_text
from musicrec.web.curves import curves_of, predictions_of
from musicrec.web.index_progress import IndexProgress, index_summary
from musicrec.web.kept_recommender import KeptRecommender
from musicrec.web.messages import track_fields
from musicrec.web.spectrogram import spectrogram_png
from musicrec.web.worker_loop import Report, Task, limit_files, limit_memory, serve

if TYPE_CHECKING:
    from musicrec.export.analyzer import TrackAnalyzer
    from musicrec.export.track_analysis import TrackAnalysis

_PEAKS_RATE = 16_000


class LimitedMeter(LoudnessMeter):
    """Measures the loudness, and ends the decoding of a file that is too long or no longer wanted.

    Args:
        report: Says whether the file is still wanted.
        decoded_s: A list of one number: the seconds that were decoded so far.
        most_s: The most seconds.
        sample_rate: In Hz.
        speakers: As for `LoudnessMeter`.
    """

    def __init__(
        self, report: Report, decoded_s: list[float], most_s: float, sample_rate: int, speakers: Sequence[str] | None
    ) -> None:
        super().__init__(sample_rate, speakers)
        self._report, self._decoded_s, self._most_s, self._rate = report, decoded_s, most_s, sample_rate
        self._begin_s = decoded_s[0]

    def __call__(self, block: np.ndarray) -> None:
        """Take the next block.

        Raises:
            AudioError: The file is too long.
            Cancelled: It is no longer wanted.
        """
        self._report.check()
        self._decoded_s[0] += len(block) / self._rate
        # A second decoder may begin again, and a file of several parts has a meter for each.
        if self._decoded_s[0] - self._begin_s > self._most_s or self._decoded_s[0] > 2.5 * self._most_s:
            raise AudioError(too_long(self._most_s))
        super().__call__(block)


def too_long(most_s: float) -> str:
    """Return what is said of audio that lasts too long."""
    return f"it lasts longer than {time_text(most_s)}, which is the most that is analysed here"


class Tasks:
    """The tasks. They keep the library open and its models loaded."""

    def __init__(self) -> None:
        self._kept: tuple[tuple[str, str], KeptRecommender] | None = None
        self._limited = False

    def analyse(self, arguments: Mapping[str, Any], report: Report) -> dict[str, Any]:
        """Analyse an upload.

        Args:
            arguments: "library", "device"; "path" of the file, the "name" that is shown; and what it may take,
                "longest_s" and "memory_bytes".
            report: Gets the progress.

        Returns:
            "track", see `messages.track_fields`; "peaks" (uint8); "details" and "spectrogram", see `details`; and
            "playable", the media type of the upload if browsers play it as it is, or None.

        Raises:
            AudioError: The file cannot be decoded, or is too long.
        """
        path, name = arguments["path"], arguments["name"]
        recommender = self._open(arguments)
        report(done=0, total=4, message="loading the models")
        analyzer = recommender.load_models()
        self._limit(arguments["memory_bytes"])
        report(done=1, total=4, message="decoding")
        self._check_length(path, arguments["longest_s"])
        seen: list[tuple[Decoded, TrackAnalysis]] = []

        def analyze(decoded: Decoded) -> "TrackAnalysis":
            report(done=2, total=4, message="analysing")
            answer = analyzer.analyze(decoded)
            seen.append((decoded, answer))
            return answer

        track = analyze_file(
            path,
            sample_rate=analyzer.sample_rate,
            analyze=analyze,
            library=recommender.library,
            meter=self._meter(report, arguments["longest_s"]),
        )
        track = find_track(recommender.library, path) or track  # as the command answers for a copy of a known file
        ((decoded, answer),) = seen
        report(done=3, total=4, message="drawing")
        result = {
            "track": track_fields(_named(track, path, name)),
            "peaks": peaks_of(decoded.waveform),
            **self._details(analyzer, decoded, answer),
        }
        return {**result, "playable": browser_type(path)}

    def preview(self, arguments: Mapping[str, Any], report: Report) -> dict[str, Any]:
        """Convert an upload for the player.

        Args:
            arguments: "path" of the file, "preview", the file to write, and "preview_bytes", its greatest size.
            report: Says whether it is still wanted.

        Raises:
            AudioError: It cannot be converted.
        """
        limit_files()
        write_preview(
            arguments["path"],
            Path(arguments["preview"]),
            most_bytes=arguments["preview_bytes"],
            check=report.check,
        )
        return {}

    def details(self, arguments: Mapping[str, Any], report: Report) -> dict[str, Any]:
        """Look into a track of the library.

        Args:
            arguments: "library", "device", "path", "longest_s" and "memory_bytes", as for `analyse`.
            report: Gets the progress.

        Returns:
            "details": what `curves_of` returns and "predictions"; and "spectrogram", a PNG.

        Raises:
            AudioError: The file cannot be decoded, or is too long.
        """
        recommender = self._open(arguments)
        report(done=0, total=3, message="loading the models")
        analyzer = recommender.load_models()
        self._limit(arguments["memory_bytes"])
        report(done=1, total=3, message="decoding")
        self._check_length(arguments["path"], arguments["longest_s"])
        decoded = decode_track(
            arguments["path"],
            sample_rate=analyzer.sample_rate,
            meter=self._meter(report, arguments["longest_s"]),
        )
        report(done=2, total=3, message="analysing")
        return self._details(analyzer, decoded, analyzer.analyze(decoded))

    def part(self, arguments: Mapping[str, Any], report: Report) -> dict[str, Any]:
        """Analyse a part of a file, to ask with it.

        Args:
            arguments: "library", "device", "path", "longest_s" and "memory_bytes", as for `analyse`; and "at_s", where
                it begins.
            report: Says whether it is still wanted.

        Returns:
            "track", see `messages.track_fields`.

        Raises:
            AudioError: The file cannot be decoded, is too long, or ends before the part.
        """
        recommender = self._open(arguments)
        analyzer = recommender.load_models()
        self._limit(arguments["memory_bytes"])
        self._check_length(arguments["path"], arguments["longest_s"])
        track = analyze_file(
            arguments["path"],
            sample_rate=analyzer.sample_rate,
            analyze=analyzer.analyze,
            library=recommender.library,
            meter=self._meter(report, arguments["longest_s"]),
            at_s=arguments["at_s"],
        )
        return {"track": track_fields(track)}

    def peaks(self, arguments: Mapping[str, Any], report: Report) -> dict[str, Any]:
        """Return the outline of a file, without any model.

        Args:
            arguments: "path", "longest_s" and "memory_bytes", as for `analyse`.
            report: Gets the progress.

        Returns:
            "duration_s" and "peaks" (uint8).

        Raises:
            AudioError: The file cannot be decoded, or is too long.
        """
        self._limit(arguments["memory_bytes"])
        self._check_length(arguments["path"], arguments["longest_s"])
        meter = self._meter(report, arguments["longest_s"])
        waveform = decode_track(arguments["path"], sample_rate=_PEAKS_RATE, meter=meter).waveform
        return {"duration_s": len(waveform) / _PEAKS_RATE, "peaks": peaks_of(waveform)}

    def index(self, arguments: Mapping[str, Any], report: Report) -> dict[str, Any]:
        """Index a folder, as `musicrec index` does.

        Args:
            arguments: "library", "device" and "folder".
            report: Gets the progress. Its "result" says what has been done so far.

        Returns:
            The numbers of the report in plain JSON types; see `index_summary`.

        Raises:
            LibraryError: The library cannot be written.
        """
        progress = IndexProgress(report)
        report.tell(message="reading the folder")
        try:
            done = self._open(arguments).index(arguments["folder"], tell=progress.remark, progress=progress)
        except KeyboardInterrupt:
            return {**progress.result(), "interrupted": True}
        return {**index_summary(done), "remarks": progress.remarks}

    def _details(self, analyzer: "TrackAnalyzer", decoded: Decoded, answer: "TrackAnalysis") -> dict[str, Any]:
        curves = curves_of(decoded.waveform, analyzer.sample_rate)
        return {
            "details": {**curves, "predictions": predictions_of(analyzer.heads, answer.over_time)},
            "spectrogram": spectrogram_png(decoded.waveform, analyzer.sample_rate),
        }

    def _open(self, arguments: Mapping[str, Any]) -> Recommender:
        """Return the recommender, which keeps its models until another library is asked for."""
        wanted = arguments["library"], arguments["device"]
        if self._kept is None or self._kept[0] != wanted:
            if self._kept is not None:
                self._kept[1].close()
            self._kept = wanted, KeptRecommender(lambda: Recommender.open(wanted[0], device=wanted[1]))
        return self._kept[1].get()

    def _limit(self, memory_bytes: int) -> None:
        """Limit memory and files, once the models are loaded. A GPU needs addresses without end."""
        torch = sys.modules.get("torch")
        if not self._limited and not (torch is not None and torch.cuda.is_initialized()):
            limit_memory(memory_bytes)
        limit_files()
        self._limited = True

    def _meter(self, report: Report, longest_s: float) -> Callable[[int, Sequence[str] | None], LimitedMeter]:
        return functools.partial(LimitedMeter, report, [0.0], longest_s)

    def _check_length(self, path: str, longest_s: float) -> None:
        """Raise AudioError if a file states that it is too long."""
        try:
            stated_s = read_header(path).length_s
        except AudioError:
            return
        if stated_s is not None and stated_s > 1.05 * longest_s:  # an estimate may be a little off
            raise AudioError(too_long(longest_s))


def _named(track: Track, path: str, name: str) -> Track:
    """Return an upload under the name that it had, without the place where it lay."""
    remarks = tuple(replace(remark, text=remark.text.replace(Path(path).name, name)) for remark in track.remarks)
    known = bool(track.source)  # it is a copy of a file of the library
    return replace(track, path=name, track_id=track.track_id if known else Path(name).stem, remarks=remarks)


def make_tasks() -> dict[str, Task]:
    """Return the tasks of a worker process."""
    tasks = Tasks()
    return {name: getattr(tasks, name) for name in ("analyse", "details", "part", "peaks", "preview", "index")}


def main() -> None:
    """Run a worker process."""
    serve(make_tasks(), parent=int(sys.argv[1]))


if __name__ == "__main__":
    main()
