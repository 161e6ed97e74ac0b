"""The part of whosthere that runs on the box: it never imports TensorFlow or `converter`."""

__version__ = "0.1.0"
