"""Scripted visits with known truth, played through the daemon's own loop and scored."""
