"""Other programs on the same recordings, in turns with ours."""
