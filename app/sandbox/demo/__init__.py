"""Demo data: a catalogue and 200 workspaces, brought in by the public API and the Stripe sandbox's events."""
