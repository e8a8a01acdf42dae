"""A deformation at several strengths: what a robustness report goes through."""

from collections.abc import Callable, Iterator, Sequence

from musicrec.deformations.base import Deformation
from musicrec.errors import ConfigError


class Sweep:
    """Builds a deformation at each of several strengths: iterating gives (strength, deformation) pairs.

    title, unit: as they stand in tables and at axes. deformation: takes the setting by name. setting: what is swept;
    None for a deformation that has no strength, whose only one is then None. strengths: in the order of the report,
    mild ones first where there is such an order.
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
