"""Virtual cameras: a real RTSP server over real clips, for the demo, the tests and the benchmarks."""
