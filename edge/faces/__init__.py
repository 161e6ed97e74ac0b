"""A picture -> the faces in it: detected, assessed, aligned, embedded."""
