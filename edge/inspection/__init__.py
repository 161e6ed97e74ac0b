"""Is this box set up rightly, what is in force on it, how fast is it."""
