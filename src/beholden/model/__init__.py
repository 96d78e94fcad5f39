"""The vocabulary as small frozen types. Imports nothing else of ours."""
