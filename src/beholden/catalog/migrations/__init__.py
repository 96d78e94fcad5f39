"""The steps from one schema to the next."""

HEAD = "0001"  # the newest; a test holds it to the files
