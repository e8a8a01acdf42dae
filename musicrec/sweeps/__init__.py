"""Sweeps: many runs of one program, and a ranked table of their results.

Hydra composes and launches the jobs of a sweep. This package provides Hydra sweepers, which are selected with
`hydra/sweeper`. Programs that use them call `register` before Hydra starts.
"""

from hydra.core.plugins import Plugins


def register() -> None:
    """Make the sweepers of conf/hydra/sweeper known to Hydra."""
    from musicrec.sweeps.sweepers import GridSweeper, StudySweeper

    for sweeper in (GridSweeper, StudySweeper):
        Plugins.instance().register(sweeper)
