"""Where frames come from. The seam is `Camera`; registry.py lists the kinds, one file each."""
