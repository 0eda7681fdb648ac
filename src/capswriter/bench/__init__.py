"""Measurement of accuracy and speed."""
