"""Where jobs run. Knows no stage: a job is a function by its import path, and plain data."""
