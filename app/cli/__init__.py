"""The operators' shell: one module per noun, over the public GraphQL API."""
