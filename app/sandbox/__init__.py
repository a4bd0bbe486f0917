"""What a machine without outside services needs: an embedded MongoDB and a Stripe sandbox."""
