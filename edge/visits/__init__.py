"""Faces over time -> tracks -> one visit -> who it is."""
