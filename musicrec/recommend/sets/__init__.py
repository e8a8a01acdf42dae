"""Sets: tracks in an order in which each leads well into the next, along an energy curve."""
