"""The simulated marketplace, the embedded stack and the demo. A production install has none of it."""
