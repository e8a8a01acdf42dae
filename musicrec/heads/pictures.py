"""How a head wants the answers to many tracks to be drawn. Only the description; `musicrec.figures.scores` draws."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal


@dataclass(frozen=True, kw_only=True)
class ConfusionPicture:
    """A confusion matrix of exclusive classes.

    Attributes:
        names: The classes in the order of the target.
        order: Numbers of the classes from top to bottom and from left to right; empty: the order of the target.
        axis_note: A note below the picture about the order of the classes.
        dividers: The rows and columns after which a line divides the classes.
        metrics: Names of the metrics in the title.
    """

    kind: ClassVar[Literal["confusion"]] = "confusion"
    names: tuple[str, ...]
    order: tuple[int, ...] = ()
    axis_note: str = ""
    dividers: tuple[int, ...] = ()
    metrics: tuple[str, ...] = ("accuracy",)


@dataclass(frozen=True, kw_only=True)
class CurvesPicture:
    """ROC and precision-recall curves of classes of which a track may have any number.

    Attributes:
        metrics: Names of the metrics in the title.
    """

    kind: ClassVar[Literal["curves"]] = "curves"
    metrics: tuple[str, ...] = ("roc_auc", "pr_auc")


@dataclass(frozen=True, kw_only=True)
class ScatterPicture:
    """Estimated against true numbers.

    Attributes:
        unit: The unit of the numbers, such as "BPM".
        least_range: The lowest and the highest number that the axes always show.
        ticks: Numbers that the axes may be marked with; empty: matplotlib chooses.
        logarithmic: Whether the axes are.
        close: When an answer agrees with the label, in words: "within 4%".
        multiples: {name: factor} of the lines on which an answer is a typical mistake, such as twice the tempo.
        multiples_name: What an answer on such a line is, in words.
        metrics: Names of the metrics in the title.
    """

    kind: ClassVar[Literal["scatter"]] = "scatter"
    unit: str
    least_range: tuple[float, float]
    ticks: Sequence[float] = ()
    logarithmic: bool = False
    close: str
    multiples: Mapping[str, float] = field(default_factory=dict)
    multiples_name: str = ""
    metrics: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class NoPicture:
    """Nothing is drawn.

    Attributes:
        metrics: Names of the metrics that matter most.
    """

    kind: ClassVar[Literal["none"]] = "none"
    metrics: tuple[str, ...] = ()


Picture = ConfusionPicture | CurvesPicture | ScatterPicture | NoPicture
