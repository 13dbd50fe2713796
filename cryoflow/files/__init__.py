"""File formats: STAR tables, MRC images, SPIDER maps; written atomically and reproducibly."""
