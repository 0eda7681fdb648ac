"""Utterances: bytes in, segments out, results merged, events emitted."""
