"""How a run is logged: to CSV, TensorBoard or Weights & Biases. The networks and their training know nothing of it, and
W&B is imported only where a run uses it."""
