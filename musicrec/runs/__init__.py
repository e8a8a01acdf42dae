"""The records of training runs: writing them, and finding and comparing runs by them."""
