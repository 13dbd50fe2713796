"""Parts of the benchmark of Class2D."""
