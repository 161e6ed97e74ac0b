"""The commands of `whosthere-converter`, one file each."""
