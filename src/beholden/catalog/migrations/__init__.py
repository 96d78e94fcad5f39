"""The steps from one schema to the next."""

HEAD = "0006"  # the newest; a test holds it to the files
