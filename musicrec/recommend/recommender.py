"""The recommender: one object with all that can be done with a library.

The commands, `recommend.py` and Python use it. What takes long to import (torch, Polars, and what reads audio files) is
imported where it is needed, after the settings have been checked.
"""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicrec.config.number_types import Count, NotNegative
from musicrec.config.value_check import check_value
from musicrec.errors import ConfigError, LibraryError
from musicrec.interchange.file_paths import parse_relocations
from musicrec.recommend import maintenance, stores
from musicrec.recommend.answer import Answer, compose_answer
from musicrec.recommend.feedback_readers import FeedbackReaders
from musicrec.recommend.filters import TagFilter
from musicrec.recommend.library import Library
from musicrec.recommend.library_index import LibraryIndex, open_index
from musicrec.recommend.library_models import LibraryModels
from musicrec.recommend.maintenance import LibraryStatus, PruneReport, RelocateReport, VerifyReport
from musicrec.recommend.model_remarks import answer_remarks, model_remarks
from musicrec.recommend.musical_filters import MusicalFilters
from musicrec.recommend.presets import Preset, read_preset
from musicrec.recommend.profiles.presence import may_have_said
from musicrec.recommend.query_names import QueryNames, refuse_on_paths
from musicrec.recommend.query_settings import index_with_tags, query_settings
from musicrec.recommend.query_track import find_track
from musicrec.recommend.ranking import recommend
from musicrec.recommend.request import Request
from musicrec.recommend.sets.build import SetSettings
from musicrec.recommend.sets.curve import EnergyCurve
from musicrec.recommend.sets.library_set import build_library_set
from musicrec.recommend.sets.track_set import TrackSet
from musicrec.recommend.similarity import Weights
from musicrec.recommend.track import Track
from musicrec.system.file_names import path_on_disk

if TYPE_CHECKING:
    from musicrec.export.analyzer import TrackAnalyzer
    from musicrec.interchange.key_notation import KeyNotation
    from musicrec.recommend.deck_files import DeckExport
    from musicrec.recommend.feedback import Feedback
    from musicrec.recommend.index_report import IndexReport
    from musicrec.system.progress import StepListener

SAID_OF_TRACKS = ("track_id", "title", "artist", "album", "year", "genre")
"""What a part of a track has from the whole one."""


class Recommender:
    """Keeps a library of analysed music, and finds the tracks in it that go with a track.

    Make one with `Recommender.open`, and close it or use it in a `with` statement. It is for one thread.

    Example:
        with Recommender.open("my.sqlite") as recommender:
            recommender.index("~/Music")
            for result in recommender.query("track.mp3", k=5).results:
                print(result["path"], result["similarity"])

    Attributes:
        path: The library.
    """

    def __init__(self, path: Path | str, *, models: Sequence[str], device: str, engine: str = "auto") -> None:
        self.path = path
        self._models = LibraryModels(models, device=device, engine=engine)
        self._library: Library | None = None
        self._searched: tuple[Hashable, LibraryIndex] | None = None
        self._readers = FeedbackReaders()

    @classmethod
    def open(
        cls,
        library: str | Path | None = None,
        *,
        models: Sequence[str] = (),
        device: str = "auto",
        engine: str = "auto",
    ) -> "Recommender":
        """Open a library, which need not exist yet: `index` creates it.

        Args:
            library: The file of the library, or lance:FOLDER or s3://… for one in LanceDB; None for the one of the
                `musicrec` command.
            models: Export folders, or names of models. Empty for the models of the library; for a new library, for the
                default set: the models that ship with musicrec and those that have been fetched.
            device: Where to run them: "cpu", "cuda", "cuda:1" …; "auto" for the GPU if there is one.
            engine: What runs them: "torch", "onnx", "openvino", "fastest", or "auto" (docs/engines.md).

        Raises:
            LibraryError: The library exists and cannot be read.
        """
        path = stores.default_library() if library is None else stores.address(library)
        opened = cls(path, models=models, device=device, engine=engine)
        if stores.exists(path):
            opened._opened()
        return opened

    def close(self) -> None:
        """Close the library."""
        self._readers.close()
        if self._library is not None:
            self._library.close()
        self._library = self._searched = None
        self._models.release()

    def __enter__(self) -> "Recommender":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __len__(self) -> int:
        """Return the number of tracks: recordings with a file that is there."""
        return len(self._opened())

    @property
    def library(self) -> Library:
        """The library, opened. It is for this thread, and closed with the recommender.

        Raises:
            LibraryError: It does not exist or cannot be read.
        """
        return self._opened()

    @property
    def library_index(self) -> LibraryIndex:
        """What queries search in, of the library as it is now.

        Raises:
            LibraryError: The library does not exist or cannot be read.
        """
        return self._index(self._opened())

    def index(
        self,
        source: str | Path,
        *,
        splits: Sequence[str] = (),
        max_files: int | None = None,
        coverage: float | None = None,
        relocate: Sequence[str] = (),
        tell: Callable[[str], object] = lambda text: None,
        progress: "bool | StepListener" = True,
    ) -> "IndexReport":
        """Bring the library up to date with a folder of music or another source; create it if it does not exist.

        Args:
            source: A folder, a playlist (M3U, M3U8), a collection (rekordbox XML, Traktor NML) or a manifest.
            splits: Analyse only the tracks of these splits of the manifest; empty for all.
            max_files: Look only at this many tracks, and look for no others.
            coverage: Share of each track that the models hear; None for that of the library, or the default of a new
                one.
            relocate: Folders of a collection that are elsewhere on this computer, each as OLD=NEW.
            tell: Receives what the user should know before the analysis, one sentence at a time.
            progress: Show the progress on standard error; or what is told each step instead, which may raise
                KeyboardInterrupt to end it.

        Raises:
            ConfigError: A setting is out of range, or there is no model.
            ExportError: A model is missing, or is not what the library was made with.
            LibraryError: The library cannot be read or written, or no file of a new library can be read.
            ManifestError: The source lists no tracks.
            PlaylistError: The playlist or collection cannot be read.
        """
        check_value("max_files", max_files, Count | None)
        exists = stores.exists(self.path)
        folders = self._models.folders() if exists else self._models.folders_for_new(self.path, tell=tell)

        from musicrec.recommend import indexing, music_source, summaries

        read = music_source.read_source(path_on_disk(Path(source).expanduser()), relocate=parse_relocations(relocate))
        music_source.of_splits(read, splits)  # a mistake is reported before the models are loaded
        if exists:
            library = self._opened()
            analyzer = self._models.load(library, folders, coverage)
        else:
            library, analyzer = self._models.create_library(self.path, folders, coverage)
            self._library = library
        for remark in (*analyzer.passed_over, *model_remarks(library)):
            tell(remark)
        if again := len(library.incomplete()):
            tell(
                f"{again:,} of the library's tracks were analysed by an older version; those of this source are "
                "analysed again, once, for what it did not know"
            )
        with stores.only_writer(self.path):
            done = indexing.index(library, analyzer, read, splits=splits, max_files=max_files, progress=progress)
            summaries.bring_up_to_date(library, progress=progress)
        if done.unreadable and not (done.readable or done.interrupted):
            if not exists:
                self.close()
                stores.delete_library(self.path)
            path, why = done.unreadable[0]
            raise LibraryError(
                f"{read.place}: none of its files can be read, so nothing was indexed; the first of "
                f"{len(done.unreadable)}: {why if path in why else f'{path}: {why}'}"
            )
        return done

    def query(
        self,
        track: str | Track | Sequence[str | Track],
        *,
        unlike: Sequence[str | Track] = (),
        playlist: bool = False,
        towards: str | Track | None = None,
        at_s: float | None = None,
        k: int = 10,
        preset: Preset | str | None = None,
        filters: MusicalFilters | None = None,
        tags: TagFilter | Mapping[str, Any] | None = None,
        weights: Weights | None = None,
        metric: str = "cosine",
        passage: str | None = None,
        neighbours: int | None = None,
        hubs: float | None = None,
        balance: float | None = None,
        min_pool: int | None = None,
        include_unreliable: bool = False,
        search: str | None = None,
        coverage: float | None = None,
        user: str = "me",
        profiles: str | Path | None = None,
    ) -> Answer:
        """Return the tracks of the library that go with a track, or with several.

        Args:
            track: An audio file, which need not be in the library, or a track of the library: its track_id, its title,
                or "artist – title", as answers show it; or a `Track` that was read or analysed before. Of several,
                tracks are wanted that are like one of them; the first one gives tempo and key, and their tags do not
                filter.
            unlike: Tracks that the answer should be unlike.
            playlist: Whether the tracks are a playlist that is to be continued; its last tracks count most.
            towards: A track to which a path leads from `track`: the answer is k tracks between both, in small steps,
                each compared with the one before it.
            at_s: Ask by a part of the file, 30 s from this second on, or its last 30 s; `passage` is then "best" unless
                it is given.
            k: Number of tracks to recommend.
            preset: Settings that belong together: "mix", "inspire", "explore", a YAML file, or your own. None for the
                default, which weighs all blocks as `default_weights` does and has no musical filters.
            filters: Musical filters in place of those of the preset. These are never dropped; those of a preset are, if
                they leave hardly a track.
            tags: The first step in place of that of the preset, or settings of `TagFilter` that are changed in it.
            weights: Weights in place of those of the preset, for the blocks that are named.
            metric: "cosine", "euclidean" or "correlation".
            passage: Which parts of the tracks are compared, in place of that of the preset: "whole"; "outro_to_intro"
                or "intro_to_outro", where they would meet in a mix; or "best", those that fit best, wherever they are.
            neighbours: As in `Reranking`, in place of that of the preset.
            hubs: As in `Reranking`, in place of that of the preset.
            balance: As in `Reranking`, in place of that of the preset. A path takes none of these three.
            min_pool: Number of tracks that the tag filter must leave; None for k, but at most half of the library.
            include_unreliable: Recommend tracks even if they are silent or very short.
            search: How the nearest tracks are found: "exact", "kdtree", "balltree", or "lance" in a library in LanceDB;
                None for what suits the library.
            coverage: Share of the query that the models hear, which must be that of the library; None for it.
            user: Whose likes, dislikes and skips change the order; "" for nobody's.
            profiles: Where profiles are kept; None for MUSICREC_PROFILES, or else the file of the library.

        Raises:
            AudioError: A file cannot be decoded.
            ConfigError: A setting is out of range, or there is neither such a file nor such a track.
            ExportError: A file must be analysed, and a model is missing or is not what the library was made with.
            LibraryError: The library does not exist or cannot be read.
            ProfileError: The profiles cannot be opened.
        """
        check_value("k", k, Count)
        check_value("min_pool", min_pool, Count | None)
        check_value("include_unreliable", include_unreliable, bool)
        check_value("at_s", at_s, NotNegative | None)
        names = QueryNames(track, unlike=unlike, towards=towards, playlist=playlist, at_s=at_s)
        if towards is not None:
            refuse_on_paths({"neighbours": neighbours, "hubs": hubs, "balance": balance})
        chosen = read_preset(preset) if isinstance(preset, str) else preset
        library = self._opened()
        if not len(self._index(library, search)):
            raise ConfigError(f"{self.path}: the library holds no tracks; add some with `musicrec index FOLDER`")
        settings = query_settings(
            library,
            preset=chosen,
            filters=filters,
            tags=tags,
            weights=weights,
            metric=metric,
            passage=passage or (None if at_s is None else "best"),
            neighbours=neighbours,
            hubs=hubs,
            balance=balance,
        )
        asked = names.find(
            lambda name: self._asked(library, name, coverage),
            find_part=lambda name, at_s: self._part(library, name, coverage, at_s),
        )
        request = Request(
            alike=asked.alike[::-1] if playlist else asked.alike,
            unlike=asked.unlike,
            playlist=playlist,
            k=k,
            preset=settings.preset,
            soft=settings.soft,
            similarity=settings.similarity,
            min_pool=min_pool,
            include_unreliable=include_unreliable,
            towards=asked.towards,
            at_s=asked.alike[0].from_s,  # earlier than `at_s` near the end of a file
        )
        with library.one_state():  # another program may have changed it while files were analysed
            index = index_with_tags(library, self._index(library, search), settings.preset.tags)
            if user and may_have_said(self.path, user, profiles=profiles):
                from musicrec.recommend.profiles.query_taste import with_taste

                feedback = self._readers.of(library, user, profiles)
                found = recommend(library, index, with_taste(request, library, index, feedback))
            else:
                found = recommend(library, index, request)
            shown = [*asked.every, *(match.track for match in found.matches)]
            return compose_answer(
                found,
                request,
                heads=library.heads,
                library=self.path,
                size=len(index),
                remarks=[*(remark.text for one in asked.every for remark in one.remarks), *answer_remarks(library)],
                listings=library.listings(track.audio_hash for track in shown),
            )

    def _asked(self, library: Library, name: str, coverage: float | None) -> Track:
        """Return a track of the library, or a file that is analysed."""
        return find_track(library, name) or self._models.analyze_file(library, name, coverage)

    def _part(self, library: Library, name: str | Track, coverage: float | None, at_s: float) -> Track:
        """Return a part of a file, which may be in the library, as a track of its own."""
        found = name if isinstance(name, Track) else find_track(library, name)
        if found is None:
            return self._models.analyze_file(library, str(name), coverage, at_s=at_s)
        part = self._models.analyze_file(library, found.path, coverage, at_s=at_s)
        # The library may know an artist from a manifest or a collection, where the file has no tags.
        return replace(part, **{fact: getattr(found, fact) for fact in SAID_OF_TRACKS})

    def build_set(
        self,
        start: str,
        *,
        end: str | None = None,
        tracks: int | None = None,
        minutes: float | None = None,
        curve: EnergyCurve | None = None,
        locked: Mapping[int, str] | None = None,
        banned: Sequence[str] = (),
        without: Collection[str] = (),
        settings: SetSettings | None = None,
        progress: "bool | StepListener" = False,
    ) -> TrackSet:
        """Return a set from tracks of the library. Silent and very short ones are left out unless they are named.

        Args:
            start: The first track, named as for `query`, or by its audio hash; so are the others.
            end: The last track; None leaves it open.
            tracks: Number of tracks; or
            minutes: Length of the set.
            curve: The wanted energy over the set.
            locked: {place from 1: track}.
            banned: Tracks that must not be in the set.
            without: Audio hashes of recordings to leave out, with their versions, unless they are named, such as
                `Feedback.never_again`.
            settings: How the set is searched; None for the usual ones.
            progress: Show the progress on standard error if it takes long; or what is told each step instead, which may
                raise an error to end it.

        Raises:
            ConfigError: A track is not in the library, a setting is out of range, or there are too few tracks.
            LibraryError: The library does not exist or cannot be read.
        """
        library = self._opened()
        with library.one_state():
            return build_library_set(
                library,
                self._index(library),
                start=start,
                end=end,
                tracks=tracks,
                minutes=minutes,
                curve=curve,
                locked=locked or {},
                banned=banned,
                without=without,
                settings=settings,
                progress=progress,
            )

    def feedback(self, user: str = "me", *, profiles: str | Path | None = None, read_only: bool = False) -> "Feedback":
        """Open what a user thinks of the tracks, and their playlists. Close it before the recommender.

        Args:
            user: The user; the first feedback creates the profile.
            profiles: Where profiles are kept; None for MUSICREC_PROFILES, or else the file of the library.
            read_only: Never write.

        Raises:
            LibraryError: The library does not exist or cannot be read.
            ProfileError: The profiles cannot be opened.
        """
        from musicrec.recommend.feedback import Feedback  # here: SQLAlchemy takes a third of a second to import

        library = self._opened()
        return Feedback.open(library, user=user, profiles=profiles, read_only=read_only, build_set=self.build_set)

    def never_again(self, user: str = "me", *, profiles: str | Path | None = None) -> frozenset[str]:
        """Return the audio hashes of what a user never wants again. It is quick where nobody said anything.

        Raises:
            LibraryError: The library does not exist or cannot be read.
            ProfileError: The profiles cannot be opened.
        """
        if not may_have_said(self._opened().path, user, profiles=profiles):
            return frozenset()
        with self.feedback(user, profiles=profiles, read_only=True) as feedback:
            return feedback.never_again()

    def export(
        self,
        file: str | Path,
        tracks: Sequence[str] | None = None,
        *,
        name: str | None = None,
        key_notation: "KeyNotation" = "camelot",
        relative_to: str | Path | None = None,
        relocate: Sequence[str] = (),
        ratings: Mapping[str, int] | None = None,
        replace: bool = False,
    ) -> "DeckExport":
        """Write tracks into a file for other programs: rekordbox, Traktor, players, spreadsheets.

        Args:
            file: The file; its suffix is the format: .xml (rekordbox), .nml (Traktor), .m3u8, .csv or .json.
            tracks: Audio hashes in the order of the playlist; None writes the whole library.
            name: Name of the playlist in the file; None takes the name of the file, and makes none for a whole library.
            key_notation: How keys are written: "camelot" (8A), "open_key" (1m) or "musical" (Am).
            relative_to: For .m3u8: the folder that paths are relative to. None: the folder of the playlist if all music
                lies below it; otherwise paths are absolute.
            relocate: Where folders are on the other computer, each as OLD=NEW.
            ratings: {audio hash: stars}, which go before those of the collections that were indexed.
            replace: Replace an existing file; the collection of another program is never replaced.

        Raises:
            ConfigError: There is no such format or notation, or nothing to write.
            LibraryError: The library does not exist or cannot be read.
            PlaylistError: The file cannot be written.
        """
        from musicrec.recommend.deck_files import export_tracks

        return export_tracks(
            self._opened(),
            file,
            tracks,
            name=name,
            key_notation=key_notation,
            relative_to=relative_to,
            relocate=parse_relocations(relocate),
            ratings=ratings or {},
            replace=replace,
        )

    def recordings_of(self, paths: Sequence[str]) -> list[str]:
        """Return the audio hashes of files of the library, such as those in an answer."""
        library = self._opened()
        return [track.audio_hash for path in paths for track in library.find(path=path)[:1]]

    def status(self) -> LibraryStatus:
        """Return what the library holds."""
        return maintenance.library_status(self._opened())

    def prune(self, *, dry_run: bool = False) -> PruneReport:
        """Delete the missing files for good, and the recordings that have no file.

        Args:
            dry_run: Only say what would be deleted.
        """
        if dry_run:
            return maintenance.prune(self._opened(), dry_run=True)
        library = self._opened()
        with stores.only_writer(self.path):
            return maintenance.prune(library, dry_run=False)

    def relocate(self, old: str | Path, new: str | Path) -> RelocateReport:
        """Tell the library that a folder or a file is elsewhere now; nothing is analysed again.

        Raises:
            ConfigError: The library has no file below `old`, or none of them is below `new`.
        """
        library = self._opened()
        with stores.only_writer(self.path):
            return maintenance.relocate(library, str(old), str(new))

    def verify(self, *, content: bool = True, progress: bool = True) -> VerifyReport:
        """Check the library, and that its files are as they were when they were indexed.

        Args:
            content: Read all audio files and compare their bytes, which takes as long as copying them.
            progress: Show the progress on standard error.
        """
        return maintenance.verify(self._opened(), content=content, progress=progress)

    def load_models(self) -> "TrackAnalyzer":
        """Return the models of the library, which stay loaded. The first time takes seconds.

        Raises:
            ExportError: A model is missing, or is not what the library was made with.
            LibraryError: The library does not exist or cannot be read.
        """
        return self._models.of_library(self._opened())

    def _opened(self) -> Library:
        if self._library is None:
            self._library = stores.open_library(self.path)
        return self._library

    def _index(self, library: Library, search: str | None = None) -> LibraryIndex:
        """Return what queries search in; it is read again only if the library has changed."""
        state = library.version(), search
        if self._searched is None or self._searched[0] != state:
            self._searched = None  # not twice in memory
            self._searched = state, open_index(library, search)
        return self._searched[1]
