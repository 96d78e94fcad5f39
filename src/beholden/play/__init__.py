"""Playback of what was recorded: timeline, playlists, conversion, downloads and stills."""
