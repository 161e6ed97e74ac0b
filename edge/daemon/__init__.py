"""The daemon: wiring, threads, staying alive."""
