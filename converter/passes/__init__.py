"""Changes to a network's graph: some keep its function and make it easier to quantise, others quantise it."""
