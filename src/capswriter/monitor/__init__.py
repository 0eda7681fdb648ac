"""Watching a server from outside: finding its processes, reading them, showing and logging them."""
