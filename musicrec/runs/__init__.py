"""What a training run leaves on record, and how to find a run by it."""
