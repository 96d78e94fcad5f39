"""Seeing: decode, motion, detection, tracking and events. Nothing here can say who somebody is."""
