"""The bus: framed messages over Unix sockets between the roles. Encoded media only, bounded, lossy by GOP."""
