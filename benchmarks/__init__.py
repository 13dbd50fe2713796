"""One module a benchmark, each with ``main(arguments)``."""
