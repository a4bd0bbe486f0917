"""What the words mean: pure records and functions, without I/O, clock or framework."""
