"""Everything that moves facts between Stripe, MongoDB and RAM, driven by the database and the clock."""
