"""The ASGI application: doors for each protocol, limits, health; and how it is started."""
