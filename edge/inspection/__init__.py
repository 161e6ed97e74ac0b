"""What check, doctor, tune, bench and identify find out."""
