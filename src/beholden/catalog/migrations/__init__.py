"""The steps from one schema to the next."""

HEAD = "0004"  # the newest; a test holds it to the files
