"""Speed, from what the benchmarks print: ``docs/explanation/speed.md``."""
