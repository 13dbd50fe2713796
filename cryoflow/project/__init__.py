"""Where jobs live: directories, aliases, records and RELION's pipeline file."""
