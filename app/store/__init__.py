"""The durable truth: documents and their mapping, MongoDB, the inbox and the change streams."""
