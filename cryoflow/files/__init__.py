"""How bytes look: STAR tables, MRC images, SPIDER maps; written whole, the same bytes each time."""
