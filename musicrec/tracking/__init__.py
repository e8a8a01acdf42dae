"""How a run is logged: to CSV, TensorBoard or Weights & Biases. The networks and their training know nothing of it, and
only `musicrec.tracking.wandb` needs W&B."""

from musicrec.tracking.runs import closing_wandb, finishing, keep_earlier_metrics

__all__ = ["closing_wandb", "finishing", "keep_earlier_metrics"]
