"""Check the settings of a run before anything is on the disk."""

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from musicrec.config.explain import one_message
from musicrec.config.targets import TARGETS
from musicrec.config.validation import check_settings


class SettingsCheck(Callback):
    """A Hydra callback that checks the settings of a run once, before its folder is made.

    In the config it stands before `OutputFolder`. The guard checks each job of a multirun, where one mistake must not
    stop the other jobs.
    """

    def on_run_start(self, config: DictConfig, **settings: object) -> None:
        """Check every setting except those of Hydra; a mistake ends the program with one message and status 1."""
        HydraConfig.instance().set_config(config)  # settings may refer to what Hydra knows, such as the chosen model
        with one_message():
            own = [key for key in config if key != "hydra"]
            check_settings(OmegaConf.masked_copy(config, own), allowed=TARGETS)
