"""The catalogue as a file: read, compare, apply, and write out again."""
