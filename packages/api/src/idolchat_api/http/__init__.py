"""The HTTP layer around the routes: middleware, host checks, authorization, error replies, OpenAPI."""
