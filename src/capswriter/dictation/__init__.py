"""The dictation client: hold a key, speak, and the text is there."""
