"""Windows, keys and selections of an X server, through python-xlib."""
