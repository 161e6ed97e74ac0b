"""Who is in a picture or a recording: the daemon's own stages, for batches."""
