"""Which classes and functions a config may build."""

# A config can build these and nothing else. Only the parts of Lightning that are listed: its modules could also be
# loaded from pickles.
TARGETS = [
    "musicrec.*",
    "pytorch_lightning.Trainer",
    "pytorch_lightning.callbacks.*",
    "pytorch_lightning.loggers.*",
    "pytorch_lightning.plugins.*",
    "pytorch_lightning.profilers.*",
    "pytorch_lightning.strategies.*",
    "optuna.pruners.*",
]
