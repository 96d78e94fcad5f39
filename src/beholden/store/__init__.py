"""Where files live: directories with an identity, behind one seam."""
