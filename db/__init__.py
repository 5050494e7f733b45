"""The questions that we ask the database, one function each; none of them commits."""
