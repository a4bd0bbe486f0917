"""The RAM copy of the live records, and who is told when it changes."""
