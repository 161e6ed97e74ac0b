"""Fine-tuning an int8 network: its float weights learn to give the float network's vectors in spite of rounding."""
