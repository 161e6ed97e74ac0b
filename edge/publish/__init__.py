"""Events to MQTT: the client, the outbox on disk, payloads and snapshots."""
