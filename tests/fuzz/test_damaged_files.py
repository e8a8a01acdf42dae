"""Every damaged file is read or refused by one typed error, in time, in little memory, and leaves nothing behind.

`pytest tests/fuzz --fuzz-files 1000` tries the first 1,000 seeds; without the option, a few are tried.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from musicrec.audio.decode import Decoded, decode_track
from musicrec.data.scan import scan_folder
from musicrec.errors import AudioError
from musicrec.export.track_analysis import TrackAnalysis
from musicrec.heads.classes import ClassHead
from musicrec.recommend.indexing import index
from musicrec.recommend.music_source import read_source
from musicrec.recommend.sqlite_library import SqliteLibrary

sys.path.insert(0, str(Path(__file__).parent))

from damage import KINDS, damaged
from originals import originals
from worker import CHECKS

ROOT = Path(__file__).parents[2]
SECONDS = 10.0  # for one check of one file
AT_ONCE = 100  # files of one test
FOUND = [69, 89, 143, 237, 717]  # failed once: rates of 1 and 2**31 Hz, overflow, a header that unpacks to 1 GB


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seeds" in metafunc.fixturenames:
        count = metafunc.config.getoption("--fuzz-files")
        blocks = [range(start, min(start + AT_ONCE, count)) for start in range(0, count, AT_ONCE)]
        names = [f"{block.start}-{block.stop - 1}" for block in blocks]
        metafunc.parametrize("seeds", [*blocks, FOUND], ids=[*names, "found"])


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return originals(tmp_path_factory.mktemp("originals"))


class Reader:
    """Hands files to a worker, and starts another one after a crash or a hang."""

    def __init__(self) -> None:
        self.process: subprocess.Popen | None = None

    def answers(self, path: Path) -> Iterator[dict]:
        """Yield the answer to every check of a file."""
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "tests" / "fuzz" / "worker.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,  # so that select sees every line
                start_new_session=True,  # so that ffmpeg can be found and ended with it
                env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"},
            )
            assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(str(path)).encode() + b"\n")
        self.process.stdin.flush()
        for name in CHECKS:
            ready, _, _ = select.select([self.process.stdout], [], [], SECONDS + 10)  # and the start of the worker
            line = self.process.stdout.readline() if ready else b""
            if line:
                yield json.loads(line)
                continue
            status = self.process.poll() if not ready else self.process.wait()
            self.end()
            problem = f"ended with {status}" if status is not None else "is still reading"
            yield {"failed": f"the worker {problem}", "check": name, "seconds": 0.0}
            return

    def end(self) -> None:
        """End the worker and the processes that it has started; none may be left over if the worker ended well."""
        process, self.process = self.process, None
        if process is None:
            return
        process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS)
        left_over = True
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            left_over = False
        good = process.wait() == 0
        process.stdout.close()
        assert not (good and left_over), "the worker left a process behind"


@pytest.mark.slow
def test_damaged_files_are_read_or_refused(tmp_path: Path, files: dict[str, bytes], seeds: Sequence[int]):
    problems, reader, answers = [], Reader(), 0
    for seed in seeds:
        name, content = damaged(seed, files)
        path = tmp_path / name
        path.write_bytes(content)
        for answer in reader.answers(path):
            answers += 1
            if "failed" in answer or answer["seconds"] > SECONDS:
                problems.append(f"seed {seed}: {name}: {answer}")
        path.write_bytes(content[:100])  # only its name is needed for the search, below
    reader.end()
    again = "one file again: python tests/fuzz/damage.py SEED FOLDER"
    assert not problems, "\n".join([*problems, again])
    assert answers == len(seeds) * len(CHECKS)
    paths = scan_folder(tmp_path)["path"].to_list()
    assert 0.3 * len(seeds) < len(paths) <= len(seeds), paths


def test_a_seed_gives_the_same_file_again(files: dict[str, bytes]):
    made = [damaged(seed, files) for seed in range(2 * len(KINDS))]
    assert made == [damaged(seed, files) for seed in range(2 * len(KINDS))]
    assert len({name.split("-")[1] for name, _ in made}) == len(KINDS)


class Analyzer:
    """A stand-in for the models."""

    sample_rate = 16_000

    def analyze_many(self, sources, *, is_known):
        for path in sources:
            try:
                decoded = decode_track(path, sample_rate=self.sample_rate)
            except AudioError as error:
                yield path, error
            else:
                yield path, (decoded, self.analyze(decoded))

    def analyze(self, decoded: Decoded) -> TrackAnalysis:
        return TrackAnalysis(
            duration_s=len(decoded.waveform) / self.sample_rate,
            probabilities={"genre": np.ones(2, np.float32)},
            tags={},
            features={},
            embedding=np.ones(4, np.float32),
        )


@pytest.mark.slow
def test_a_folder_of_damaged_files_is_indexed(tmp_path: Path, files: dict[str, bytes]):
    music = tmp_path / "music"
    music.mkdir()
    for seed in range(1_000, 1_000 + len(KINDS)):  # one of each kind
        name, content = damaged(seed, files)
        (music / name).write_bytes(content)
    (music / "good.flac").write_bytes(files["tagged.flac"])
    heads = [ClassHead(name="genre", column="genre", role="tag", classes=("house", "jazz"))]
    with SqliteLibrary.create(tmp_path / "library.sqlite", exports=[], heads=heads, embedding_size=4) as library:
        report = index(library, Analyzer(), read_source(music), progress=False)
        stored = {file.path for file in library.files()}
    refused = {path for path, _ in report.unreadable}
    assert str(music / "good.flac") in stored
    assert stored | refused == set(scan_folder(music)["path"]) and not stored & refused
    assert report.readable == len(stored) and refused
