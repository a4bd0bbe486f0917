"""All we need from outside, as Protocols. Fakes stand here in tests."""
