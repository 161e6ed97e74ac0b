"""Changes to a network's graph that leave what it computes as it is, and make it easier to quantise."""
