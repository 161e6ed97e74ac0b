"""What developers of whosthere run from a checkout; none of it is installed on a box."""
