"""What benchmarks share: the fleet that they measure, how they measure, what they print."""
