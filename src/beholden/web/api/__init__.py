"""The JSON API, one file per noun (docs/reference/api.md)."""
