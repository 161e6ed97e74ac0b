"""Paints the demo's clip: people come to a door one after another."""
