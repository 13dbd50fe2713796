"""What several job types read: references, CTF columns, rows of other tables."""
