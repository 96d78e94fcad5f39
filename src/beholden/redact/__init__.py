"""Hiding people in pictures: where they are, and how they are made unrecognisable. Nobody is told apart."""
