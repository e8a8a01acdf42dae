"""How good the recommendations from a library are, measured by labels, by ear, and against simpler ways to rank."""
