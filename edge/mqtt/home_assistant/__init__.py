"""How a box appears in Home Assistant."""
