"""All that a box has learned, as one file, and back."""
