"""Project layout: directories, aliases, records and RELION's pipeline file."""
