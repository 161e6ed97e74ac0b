"""One module per page; each ends with its `PAGE`."""
