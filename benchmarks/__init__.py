"""Measurements against a peer run in the same call. One file per benchmark; ``python -m benchmarks NAME``."""
