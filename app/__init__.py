"""The service: domain, store, cache, services and the edges that frontends and Stripe drive."""
