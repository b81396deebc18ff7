//! Benchmarks only: see the targets beside this file, and README.md for how to run them.
