"""The models that analyse music for a library: those that it was made with, loaded when something must be analysed."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from musicrec.errors import ConfigError
from musicrec.export import catalogue
from musicrec.recommend import exports, stores
from musicrec.recommend.exports import ExportRef
from musicrec.recommend.library import Library
from musicrec.recommend.query_track import analyze_file
from musicrec.recommend.track import Track

if TYPE_CHECKING:
    from musicrec.export.analyzer import TrackAnalyzer


class LibraryModels:
    """Models for a library, which stay loaded between two uses.

    Args:
        named: Export folders, or names of models. Empty for the models of the library; for a new library, for the
            default set.
        device: Where to run them: "cpu", "cuda", "cuda:1" …; "auto" for the GPU if there is one.
        engine: What runs them: "torch", "onnx", "openvino", "fastest", or "auto" (docs/engines.md).
    """

    def __init__(self, named: Sequence[str], *, device: str, engine: str = "auto") -> None:
        self._named, self._device, self._engine = list(named), device, engine
        self._loaded: tuple[list[str], float | None, TrackAnalyzer] | None = None

    def release(self) -> None:
        """Free the memory of the models."""
        self._loaded = None

    def folders(self) -> list[str]:
        """Return the export folders that were named; none if there are none.

        Raises:
            ConfigError: A model is not known, or not on this machine.
        """
        return [str(catalogue.resolve(model)) for model in self._named]

    def folders_for_new(self, path: Path | str, *, tell: Callable[[str], object]) -> list[str]:
        """Return the export folders for a new library.

        Args:
            path: The library.
            tell: Receives what the user should know about the default set.

        Raises:
            ConfigError: There is no model.
        """
        named = self.folders()
        if named:
            return named
        named = [str(catalogue.resolve(name)) for name in catalogue.default_models()]
        if not named:
            raise ConfigError(
                f"models: {path} does not exist yet, and no model ships with this version; name export "
                "folders, as in --models RUN/export, or exports=[RUN/export] of musicrec recommend"
            )
        for remark in catalogue.default_remarks():
            tell(remark)
        return named

    def analyze_file(self, library: Library, name: str, coverage: float | None, *, at_s: float | None = None) -> Track:
        """Return an audio file that is not in the library, analysed by the models of the library.

        Args:
            library: The library.
            name: The file.
            coverage: Share of the file that the models hear, which must be that of the library; None for it.
            at_s: Where the part of the file begins that is analysed; None for all of it.

        Raises:
            AudioError: The file cannot be decoded, or ends before `at_s`.
            ConfigError: The coverage is not that of the library.
            ExportError: A model is missing or is not what the library was made with.
        """
        refs = exports.check_same(library.exports, self.folders(), library=library.path)
        share = exports.coverage_of(library.analysis, coverage, library=library.path)
        return analyze_file(
            name,
            sample_rate=exports.sample_rate_of(refs[0]),
            analyze=lambda decoded: self._load(refs, share).analyze(decoded),
            library=library,
            at_s=at_s,
        )

    def of_library(self, library: Library) -> "TrackAnalyzer":
        """Return the models of a library, to analyse what does not enter it.

        Args:
            library: The library.

        Raises:
            ExportError: A model is missing or is not what the library was made with.
        """
        refs = exports.check_same(library.exports, self.folders(), library=library.path)
        return self._load(refs, exports.coverage_of(library.analysis, None, library=library.path))

    def load(self, library: Library, folders: Sequence[str], coverage: float | None) -> "TrackAnalyzer":
        """Return what analyses music for a library; the library remembers where its models are now.

        Args:
            library: The library.
            folders: Export folders; empty for those that the library remembers.
            coverage: As for `analyze_file`.

        Raises:
            ConfigError: The coverage is not that of the library, or there is no such device.
            ExportError: A model is missing or is not what the library was made with.
        """
        refs = exports.check_same(library.exports, folders, library=library.path)
        analyzer = self._load(refs, exports.coverage_of(library.analysis, coverage, library=library.path))
        library.move_exports(exports.with_sizes(refs, analyzer))
        return analyzer

    def create_library(
        self, path: Path | str, folders: Sequence[str], coverage: float | None
    ) -> "tuple[Library, TrackAnalyzer]":
        """Return a new library, and what analyses music for it.

        Args:
            path: Where it is created.
            folders: Export folders, at least one.
            coverage: Share of each track that the models hear; None for the default.

        Raises:
            ConfigError: The coverage is out of range, or there is no such device.
            ExportError: A folder is not an export.
            LibraryError: The library cannot be written.
        """
        refs = exports.refer(folders)
        analyzer = self._load(refs, coverage)
        library = stores.create_library(
            path,
            exports=exports.with_sizes(refs, analyzer),
            heads=list(analyzer.heads.values()),
            embedding_size=sum(analyzer.embedding_sizes),
            analysis=analyzer.settings,
        )
        return library, analyzer

    def _load(self, refs: Sequence[ExportRef], coverage: float | None) -> "TrackAnalyzer":
        paths = [ref.path for ref in refs]
        if self._loaded is None or self._loaded[:2] != (paths, coverage):
            analyzer = exports.load_analyzer(refs, device=self._device, coverage=coverage, engine=self._engine)
            self._loaded = paths, coverage, analyzer
        return self._loaded[2]
