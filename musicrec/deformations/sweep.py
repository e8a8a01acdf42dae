"""A deformation at several strengths, as a robustness report uses it."""

from collections.abc import Callable, Iterator, Sequence

from musicrec.deformations.base import Deformation
from musicrec.errors import ConfigError


class Sweep:
    """Builds a deformation at several strengths. Iterating yields (strength, deformation) pairs.

    Args:
        title: Name in tables and figures.
        deformation: Builds the deformation; takes the setting as a keyword.
        setting: The setting that varies; None for a deformation without a strength.
        strengths: Values of the setting in the order of the report, mild ones first where there is such an order.
        unit: The unit of the strengths, for tables and axes.

    Raises:
        ConfigError: Only one of `setting` and `strengths` is given.
    """

    def __init__(
        self,
        *,
        title: str,
        deformation: Callable[..., Deformation],
        setting: str | None = None,
        strengths: Sequence[float | str] = (),
        unit: str = "",
    ) -> None:
        if (setting is None) != (len(strengths) == 0):
            raise ConfigError(f"{title}: setting={setting} with strengths={list(strengths)}; give both or neither")
        self.title, self.deformation, self.setting, self.unit = title, deformation, setting, unit
        self.strengths = list(strengths) or [None]

    def __len__(self) -> int:
        return len(self.strengths)

    def __iter__(self) -> Iterator[tuple[float | str | None, Deformation]]:
        for strength in self.strengths:
            yield strength, self.deformation(**({} if self.setting is None else {self.setting: strength}))
