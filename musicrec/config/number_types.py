"""Numbers with limits, as types of constructor parameters. `value_check` checks settings against them."""

from typing import Annotated

from annotated_types import Ge, Gt, Le

Count = Annotated[int, Ge(1)]
Natural = Annotated[int, Ge(0)]
Seed = Annotated[int, Ge(0), Le(2**32 - 1)]  # what NumPy takes
Share = Annotated[float, Ge(0), Le(1)]
PositiveShare = Annotated[float, Gt(0), Le(1)]
Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]

# What a track can have: a value outside is a mistake in a table or a tag.
BPM_RANGE = (20.0, 400.0)
DURATION_RANGE_S = (1e-3, 1e7)
