"""A picture -> the faces in it: found, judged, aligned, embedded."""
