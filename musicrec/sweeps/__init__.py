"""Sweeps: many runs of one program, side by side or one after another, and a ranked table of what they reached.

Hydra composes and launches the jobs; these are its sweepers, chosen with `hydra/sweeper`. Programs that use them call
`register` before Hydra starts.
"""

from hydra.core.plugins import Plugins


def register() -> None:
    """Make the sweepers of conf/hydra/sweeper known to Hydra."""
    from musicrec.sweeps.sweepers import GridSweeper, StudySweeper

    for sweeper in (GridSweeper, StudySweeper):
        Plugins.instance().register(sweeper)
