"""A stateful Stripe for demo and tests: its wire format, signed webhooks, and controls that Stripe does not have."""
