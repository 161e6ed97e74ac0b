"""What the owner says about visits and strangers; for the command line and the page alike."""
