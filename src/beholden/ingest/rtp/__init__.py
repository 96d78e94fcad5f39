"""RTP: from interleaved packets to coded pictures and audio frames, one file per payload format."""
