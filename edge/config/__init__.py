"""config.yaml -> frozen sections, and back without losing comments."""
