//! Fetches and builds the real programs that the tests run.
