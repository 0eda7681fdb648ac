"""Subtitles and other shaping of recognised text."""
