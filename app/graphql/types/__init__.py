"""GraphQL types, one file per concept; each is built from its domain record by one `from_domain`."""
