"""GraphiQL, the page on which people ask the API: its files and the routes that hand them out."""
