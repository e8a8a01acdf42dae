"""The measures of a ranking: their names, units and definitions, as docs/recommendation_evaluation.md shows them."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A measure.

    Attributes:
        name: Its name in files.
        title: Its name for people.
        unit: Its unit.
        higher_is_better: Whether a higher value is better; None if it depends on the purpose.
        meaning: What it is, in one line.
    """

    name: str
    title: str
    unit: str
    higher_is_better: bool | None
    meaning: str

    def at(self, k: int, *, label_k: int, label: str) -> "Measure":
        """Return the measure with the length of the lists and the label in its title."""
        return replace(self, title=self.title.format(k=k, label_k=label_k, label=label))

    def of_change(self, change: str) -> "Measure":
        """Return the measure for one change of the query's audio."""
        return replace(self, name=f"{self.name}_{change}", title=self.title.format(change=change.replace("_", " ")))


MEASURES = (
    Measure(
        name="genre_precision",
        title="genre precision@{k}, other artists",
        unit="share",
        higher_is_better=True,
        meaning="Share of the list with the genre of the query; tracks of the query's artist are not recommended.",
    ),
    Measure(
        name="tag_ndcg",
        title="tag nDCG@{k}, other artists",
        unit="0 to 1",
        higher_is_better=True,
        meaning="nDCG with the Jaccard overlap of the labelled tags as the gain; 1 is the best list there is.",
    ),
    Measure(
        name="same_label",
        title="same {label} precision@{label_k}",
        unit="share",
        higher_is_better=True,
        meaning="Share of the list with the label of the query, such as its soundtrack.",
    ),
    Measure(
        name="tempo",
        title="tempo fits",
        unit="share",
        higher_is_better=True,
        meaning="Share of the list within 6 % of the query's tempo, or of half or double of it.",
    ),
    Measure(
        name="key",
        title="key fits",
        unit="share",
        higher_is_better=True,
        meaning="Share of the list in the query's key, a neighbour of it on the Camelot wheel, or its relative key.",
    ),
    Measure(
        name="tempo_and_key",
        title="tempo and key fit",
        unit="share",
        higher_is_better=True,
        meaning="Share of the list that fits in both.",
    ),
    Measure(
        name="energy_error",
        title="energy error",
        unit="levels of 1 to 10",
        higher_is_better=False,
        meaning="Mean absolute difference of energy between the query and the list.",
    ),
    Measure(
        name="tags_and_features",
        title="tags and near features",
        unit="share",
        higher_is_better=True,
        meaning="Share of the list that has the query's predicted tags and near predicted features; both of the next.",
    ),
    Measure(
        name="query_tags",
        title="has the query's tags",
        unit="share",
        higher_is_better=True,
        meaning="Share of the list with all of the query's most characteristic predicted tags, at most three.",
    ),
    Measure(
        name="near_features",
        title="near features",
        unit="share",
        higher_is_better=True,
        meaning="Share of the list whose predicted features are among the nearest 10 % of the library.",
    ),
    Measure(
        name="length",
        title="length of the list",
        unit="tracks",
        higher_is_better=None,
        meaning="Number of tracks in the list: fewer than asked for where filters leave no more.",
    ),
    Measure(
        name="hub_skewness",
        title="hub skewness",
        unit="no unit",
        higher_is_better=False,
        meaning="Skewness of how often each track is recommended; above about 1.4, some tracks are hubs.",
    ),
    Measure(
        name="coverage",
        title="coverage",
        unit="share",
        higher_is_better=True,
        meaning="Share of the library that is recommended to at least one query.",
    ),
    Measure(
        name="gini",
        title="Gini coefficient",
        unit="0 to 1",
        higher_is_better=False,
        meaning="Inequality of how often tracks are recommended: 0 equally often, 1 always the same track.",
    ),
    Measure(
        name="diversity",
        title="diversity",
        unit="cosine distance",
        higher_is_better=None,
        meaning="Mean distance of the embeddings of two tracks of a list (intra-list distance).",
    ),
    Measure(
        name="other_artist",
        title="other artists",
        unit="share",
        higher_is_better=None,
        meaning="Share of the list that is by another artist than the query (novelty).",
    ),
    Measure(
        name="kept",
        title="kept after {change}",
        unit="share",
        higher_is_better=True,
        meaning="Share of the list that stays if the audio of the query is changed (stability).",
    ),
    Measure(
        name="playlist_recall",
        title="playlist recall@{k}",
        unit="share",
        higher_is_better=True,
        meaning="Share of the hidden half of a playlist that is among the first tracks that continue the other half.",
    ),
    Measure(
        name="playlist_r_precision",
        title="playlist R-precision",
        unit="share",
        higher_is_better=True,
        meaning="The same among as many tracks as are hidden.",
    ),
    Measure(
        name="playlist_ndcg",
        title="playlist nDCG@{k}",
        unit="0 to 1",
        higher_is_better=True,
        meaning="nDCG of a continuation, where hidden tracks count 1; 1 is a list that begins with them.",
    ),
)
"""All measures, in the order of the tables. "kept" stands for one per change."""
