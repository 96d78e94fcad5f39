"""From a camera's address to access units on the site's wall clock. Nothing is decoded here."""
