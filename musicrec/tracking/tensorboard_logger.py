"""Lightning's TensorBoard logger. Only runs that use it import this module, which needs the extra `tensorboard`."""

import tensorboard  # noqa: F401  Lightning would notice only after the data are read that it is missing
from pytorch_lightning.loggers import TensorBoardLogger

__all__ = ["TensorBoardLogger"]
