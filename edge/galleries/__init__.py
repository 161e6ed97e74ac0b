"""Galleries: who is known; files of them, signed and sealed, received, in force and forgotten."""
