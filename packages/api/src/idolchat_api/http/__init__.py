"""The ASGI application around the routes: middleware, hosts, authorization, errors, the OpenAPI document."""
