"""The ASGI application: routes, sockets, limits, health."""
