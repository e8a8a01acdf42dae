"""Logging of runs: to CSV, TensorBoard or Weights & Biases (W&B).

Networks and their training do not depend on this package. W&B is imported only if a run uses it.
"""
