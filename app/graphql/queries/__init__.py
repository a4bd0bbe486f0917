"""Query fields, one file per concept: parse, call, translate."""
