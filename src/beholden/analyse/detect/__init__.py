"""Detectors: pictures in, boxes with a class of thing out."""
