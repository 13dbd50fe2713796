"""Pictures of what jobs wrote. Reads, and writes nothing but pictures."""
