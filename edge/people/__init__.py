"""What the owner of a box does with the people it knows: for the command line and the page alike."""
