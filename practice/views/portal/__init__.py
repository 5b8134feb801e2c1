"""A person's own pages: what is theirs, and nothing of anybody else."""
