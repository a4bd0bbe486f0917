"""Stripe to MongoDB: events are hints, the API is the truth, the store is memory."""
