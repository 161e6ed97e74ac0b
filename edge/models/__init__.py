"""The bundled networks, their cards, and the only door to a TFLite runtime."""
