"""MQTT 5 for edgert: the contract (topics, payloads), the connection, and finding or starting a broker."""
