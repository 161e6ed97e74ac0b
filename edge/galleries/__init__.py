"""Galleries of known people: files that are signed, encrypted, received, rolled back and forgotten."""
