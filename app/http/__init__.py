"""What HTTP itself needs: routes, probes, credentials, and the webhook."""
