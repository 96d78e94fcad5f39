"""The recorder: encoded access units become fragmented MP4 files, index rows, spans, hashes and gaps."""
