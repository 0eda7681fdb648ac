"""The model catalogue and the local store."""
