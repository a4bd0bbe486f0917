"""The GraphQL API: schema, endpoint, and the road of one operation through limits and permissions."""

from app.graphql.types import enums as enums  # an enum must be exposed before the first type names it
