"""Figures for Prometheus: counted by the daemon, and rendered by the web page."""
