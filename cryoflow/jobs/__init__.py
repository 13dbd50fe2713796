"""One job type a package: read, compute, write. The only place where files meet compute."""
