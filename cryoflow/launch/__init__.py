"""From specs and overrides to jobs that run."""
