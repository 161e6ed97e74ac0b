"""The box's own web page: a process of its own, which the daemon never imports. registry.py lists its pages."""
