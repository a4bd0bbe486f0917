"""Mutations, one file per concept: translate the input, call one use case, translate its result."""
