"""The web role: API, pages, and the gate before them."""
