"""Duet measured against what one would use instead: `make bench`, docs/performance.md."""
