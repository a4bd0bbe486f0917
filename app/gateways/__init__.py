"""The outside world, as the ports want it."""
