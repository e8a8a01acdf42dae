"""`recommend.py action=evaluate` and `action=listen`: how good the rankings of a library are, measured and heard."""

import functools
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from omegaconf import DictConfig
from rich.markup import escape

from musicrec.config.number_types import Natural
from musicrec.config.value_check import check_choices, check_value
from musicrec.errors import ConfigError
from musicrec.programs.build import build_all, listed, plain
from musicrec.programs.query_config import settings_of
from musicrec.recommend import exports, stores
from musicrec.recommend.evaluation import comparison, report, stability
from musicrec.recommend.evaluation.comparison import Comparison, EvaluationSettings, Subject
from musicrec.recommend.evaluation.exact_search import ExactSearch, library_columns
from musicrec.recommend.evaluation.labels import library_labels, table_labels
from musicrec.recommend.evaluation.listed_tracks import playlists_of
from musicrec.recommend.evaluation.listening_answers import read_answers, summarize
from musicrec.recommend.evaluation.listening_test import KEY, ListeningSettings, draw_trials, write_test
from musicrec.recommend.evaluation.loaded_library import in_memory
from musicrec.recommend.evaluation.mfcc import BLOCK, mfcc, mfcc_of_tracks
from musicrec.recommend.evaluation.query_rankers import QueryMaker, QueryRankers
from musicrec.recommend.evaluation.rankers import Ranker
from musicrec.recommend.evaluation.usual_rankers import TWO_STEPS, baselines, single_blocks
from musicrec.recommend.library import Library
from musicrec.recommend.library_index import open_index
from musicrec.recommend.query_settings import query_settings
from musicrec.runs.find import find_export
from musicrec.system.console import make_table, output_console
from musicrec.system.progress import track_progress
from musicrec.system.version import VERSION

if TYPE_CHECKING:
    from musicrec.deformations.base import Deformation

QUERY = "query"  # the ranking of `action=query` with the settings of the command
CHANGES = ("mp3", "pitch", "tempo")
SHOWN_AGAINST = ("random", "same genre", "MFCC", TWO_STEPS)  # all differences are in the files
MEASURES_SIDE_BY_SIDE = 5


def evaluate(cfg: DictConfig) -> None:
    """Measure rankings of a library, and report on them: tables, CSV, JSON, figures, and what the loggers take."""
    from musicrec.evaluation.bootstrap import Bootstrap  # imports torch, which a query does not need
    from musicrec.tracking.runs import closing_wandb

    chosen = cfg.evaluate
    settings = EvaluationSettings(**{name: chosen[name] for name in EvaluationSettings.__dataclass_fields__})
    check_value("evaluate.changed", chosen.changed, Natural)
    check_choices("evaluate.changes", listed(chosen.changes), CHANGES)
    bootstrap = Bootstrap(**plain(chosen.bootstrap))
    folder = Path(chosen.folder)
    for logger in (cfg.get("logger") or {}).values():  # the folder of this program is where it was started
        logger.save_dir = str(folder)
    path = stores.default_library() if cfg.library is None else stores.address(cfg.library)
    with closing(stores.open_library(path)) as library:
        subject, made = prepare(cfg, library, settings)
        names = chosen_rankings(listed(chosen.rankings), made.rankers)
        references = listed(chosen.references) or [name for name in (QUERY,) if name in names]
        with track_progress("ranking", "ranked with", len(names), what="rankings") as advance:
            compared = comparison.compare(
                subject,
                {name: made.rankers[name] for name in names},
                bootstrap=bootstrap,
                settings=settings,
                continuations=made.continuations,
                references=references,
                advance=advance,
            )
        models = [export.name for export in library.exports]
    about = {
        "library": str(path),
        "labels": chosen.labels,
        "models": models,
        "evaluate": plain(chosen),
        "musicrec_version": VERSION,
    }
    publish(compared, folder, references=references, about=about)
    closing_wandb(functools.partial(log, compared=compared, folder=folder, about=about))(cfg)


def prepare(cfg: DictConfig, library: Library, settings: EvaluationSettings) -> tuple[Subject, QueryRankers]:
    """Read a library and what rankings are measured with, and make the rankings, which read in the library."""
    chosen, heads = cfg.evaluate, list(library.heads.values())
    tracks, values = library.read()
    if not tracks:
        raise ConfigError(f"{library.path}: the library holds no tracks; add some with `musicrec index FOLDER`")
    columns = library_columns(ExactSearch(tracks, values), library.heads)
    cache = Path(cfg.paths.cache) / "recommendation"
    if chosen.mfcc:
        with track_progress("reading", "read", len(tracks)) as advance:
            values[BLOCK] = mfcc_of_tracks(tracks, cache=cache / "mfcc.npz", advance=advance)
    search = ExactSearch(tracks, values)
    if chosen.labels is None:
        labels = library_labels(tracks, columns, label=chosen.label)
    else:
        labels = table_labels(Path(chosen.labels).expanduser(), tracks, columns, label=chosen.label)
    subject = Subject(
        search=search,
        heads=heads,
        columns=columns,
        labels=labels,
        playlists=playlists_of(library, tracks, by=chosen.playlists, labels=labels),
        changed=changed(cfg, library, search, cache / "changed", seed=settings.seed) if chosen.changed else None,
    )
    return subject, rankings(cfg, library, subject)


def rankings(cfg: DictConfig, library: Library, subject: Subject) -> QueryRankers:
    """Return all rankings: what a query does, the presets, each without its parts, and what they are compared with."""
    chosen, search = cfg.evaluate, subject.search
    loaded = in_memory(library, search.tracks, search.values)
    maker = QueryMaker(
        loaded,
        open_index(library, cfg.search),
        search.tracks,
        include_unreliable=cfg.include_unreliable,
        min_pool=cfg.min_pool,
    )
    made = maker.with_parts(QUERY, query_settings(loaded, **settings_of(cfg)))
    if chosen.presets:
        made.add(maker.presets())
    if not chosen.parts:
        made = made.whole()
    made.rankers |= baselines(search, subject.heads, subject.columns, seed=chosen.seed)
    if chosen.blocks:
        made.rankers |= single_blocks(search, subject.heads)
    return made


def chosen_rankings(names: Sequence[str], rankers: Mapping[str, Ranker]) -> list[str]:
    """Return the names of the rankings to measure; all if none is named."""
    if names:
        check_choices("evaluate.rankings", names, list(rankers))
    return list(names) or list(rankers)


def changed(
    cfg: DictConfig, library: Library, search: ExactSearch, cache: Path, *, seed: int
) -> stability.ChangedQueries:
    """Analyse some tracks of a library again, with their audio changed."""
    chosen, among = cfg.evaluate, np.flatnonzero(comparison.candidates(search))
    rows = np.sort(np.random.default_rng(seed).permutation(among)[: chosen.changed])
    named = [find_export(name, runs=cfg.paths.runs) for name in listed(cfg.exports)]
    refs = exports.check_same(library.exports, named, library=library.path)
    coverage = exports.coverage_of(library.analysis, cfg.coverage, library=library.path)
    analyzer = exports.load_analyzer(refs, device=cfg.device, coverage=coverage, engine=cfg.engine)
    more = (lambda waveform: {BLOCK: mfcc(waveform)}) if chosen.mfcc else (lambda waveform: {})
    with track_progress("changing", "changed", len(rows)) as advance:
        return stability.changed_queries(
            search.tracks,
            rows.tolist(),
            analyzer=analyzer,
            exports=library.exports,
            changes=changes(cfg),
            cache=cache,
            more=more,
            advance=advance,
        )


def changes(cfg: DictConfig) -> "dict[str, Deformation]":
    """Return the changes of a query's audio, {name: deformation}."""
    from musicrec.deformations.pitch_shift import PitchShift
    from musicrec.deformations.reencoding import Reencoding
    from musicrec.deformations.time_stretch import TimeStretch

    chosen = cfg.evaluate
    made: dict[str, Deformation] = {
        "mp3": Reencoding(codec="mp3", bitrate_kbps=chosen.mp3_kbps),
        "pitch": PitchShift(shift_semitones=chosen.pitch_semitones),
        "tempo": TimeStretch(rate=chosen.tempo_rate),
    }
    return {name: made[name] for name in listed(chosen.changes)}


def listen(cfg: DictConfig) -> None:
    """Write a blind listening test of two rankings, or read the answers to one."""
    chosen, folder = cfg.listen, Path(cfg.listen.folder)
    answers = [Path(file).expanduser() for file in listed(chosen.answers)]
    if answers:
        read_listening(Path(chosen.key or folder / KEY).expanduser(), answers, bootstrap=plain(cfg.evaluate.bootstrap))
        return
    settings = ListeningSettings(**{name: chosen[name] for name in ListeningSettings.__dataclass_fields__})
    path = stores.default_library() if cfg.library is None else stores.address(cfg.library)
    with closing(stores.open_library(path)) as library:
        subject, made = prepare(cfg, library, EvaluationSettings(seed=chosen.seed))
        named = listed(chosen.rankings)
        if len(named) != 2:
            raise ConfigError(f"listen.rankings=[{', '.join(named)}]: name two of: {', '.join(made.rankers)}")
        check_choices("listen.rankings", named, list(made.rankers))
        among = comparison.candidates(subject.search)
        queries = [comparison.stored_query(subject.search, int(row)) for row in np.flatnonzero(among)]
        rankers = {name: made.rankers[name] for name in named}
        trials, same = draw_trials(rankers, queries, among=among, settings=settings)
        models = [export.name for export in library.exports]
    about = {"library": str(path), "models": models, "musicrec_version": VERSION}
    with track_progress("reading", "read", len(trials), what="comparisons") as advance:
        page, key = write_test(
            folder,
            trials,
            subject.search.tracks,
            rankings=named,
            settings=settings,
            same=same,
            about=about | {"weights": plain(cfg.weights)},
            advance=advance,
        )
    print(f"page for the raters: {page} ({page.stat().st_size / 1e6:.1f} MB)\nkey, which stays here: {key}")
    print(f"{len(trials)} comparisons; {same} queries got the same answers from both")


def read_listening(key: Path, files: Sequence[Path], *, bootstrap: Mapping[str, Any]) -> None:
    """Print what the raters of a listening test heard."""
    from musicrec.evaluation.bootstrap import Bootstrap

    result = summarize(*read_answers(key, files), Bootstrap(**bootstrap))
    out, (first, second) = output_console(), result.rankings
    shown = make_table(out, "", f"{escape(first)} wins", "of", "share", "95 %", "sign test, p", "undecided")
    rows = {**{f"rater {name}": one for name, one in result.raters.items()},
            "queries, by majority": result.by_query, "raters, by majority": result.by_rater}  # fmt: skip
    for name, one in rows.items():
        interval = f"[{one.low:.3f}, {one.high:.3f}]" if one.decided else report.NONE
        shown.add_row(escape(name), str(one.wins), str(one.decided), f"{one.share:.3f}" if one.decided else report.NONE,
                      interval, f"{one.p_value:.3f}" if one.decided else report.NONE, str(one.undecided))  # fmt: skip
    out.print(shown)
    out.print(
        f"{first} against {second}: share of decided answers {report.text(result.share)}, queries drawn with all of "
        f"their answers; {result.answers} answers by {len(result.raters)} raters",
        markup=False,
        soft_wrap=True,
    )
    alpha = report.NONE if np.isnan(result.alpha) else f"{result.alpha:.3f}"
    print(f"agreement of the raters (Krippendorff's alpha): {alpha}")


def publish(compared: Comparison, folder: Path, *, references: Sequence[str], about: dict[str, Any]) -> None:
    """Print a comparison, write its files and draw its figures."""
    out = output_console()
    names = list(compared.measures)
    for begin in range(0, len(names), MEASURES_SIDE_BY_SIDE):
        header, rows = report.table(compared, measures=names[begin : begin + MEASURES_SIDE_BY_SIDE])
        shown = make_table(out, *map(escape, header))
        for cells in rows:
            shown.add_row(*map(escape, cells))
        out.print(shown)
    for one in compared.differences:
        measure = compared.measures[one.measure]
        if measure.higher_is_better is not None and one.other in SHOWN_AGAINST:
            number = report.text(one.estimate, signed=True)
            out.print(f"{one.ranking} − {one.other}, {measure.title}: {number}", markup=False, soft_wrap=True)
    files = report.write_report(folder, compared, about=about)
    figures = draw(compared, folder, references=references)
    print(f"report: {folder} ({', '.join(file.name for file in (*files, *figures))})")


def draw(compared: Comparison, folder: Path, *, references: Sequence[str]) -> list[Path]:
    """Draw the measures of all rankings."""
    from musicrec.figures.ranking_measures import Panel, measures_figure
    from musicrec.figures.style import save

    chances = compared.about["chance"]
    panels = []
    for measure in compared.measures.values():
        scores = [score for score in compared.scores if score.measure == measure.name]
        values = {score.ranking: (score.estimate.value, score.estimate.low, score.estimate.high) for score in scores}
        chance = chances.get(measure.name) if isinstance(chances, dict) else None
        panels.append(Panel(title=measure.title, unit=measure.unit, values=values, chance=chance))
    title = f"{compared.about['queries']:,} queries, {compared.about['candidates']:,} tracks"
    figure = measures_figure(panels, compared.rankings, highlighted=references, title=title)
    return [save(figure, folder / "evaluation.png")]


def log(cfg: DictConfig, *, compared: Comparison, folder: Path, about: dict[str, Any]) -> None:
    """Log a comparison to the loggers of the config."""
    loggers = build_all(cfg.get("logger"))
    if loggers:
        from musicrec.tracking.recommendation_report import log_comparison

        log_comparison(loggers, compared, [folder / "evaluation.png"], about=about)
