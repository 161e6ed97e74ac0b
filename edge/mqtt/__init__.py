"""MQTT: visit events, retained topics, commands, Home Assistant."""
