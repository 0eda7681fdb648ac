"""Worker processes and the one queue they pull from."""
