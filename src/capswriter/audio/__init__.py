"""Decoding, resampling, voice activity detection, segmentation."""
