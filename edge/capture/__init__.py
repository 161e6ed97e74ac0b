"""Where frames come from. The seam is `Camera`; there is one file a kind of camera."""
