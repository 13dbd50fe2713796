"""Pictures of what jobs wrote: reads files, and writes only pictures."""
