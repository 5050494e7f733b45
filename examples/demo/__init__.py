"""`make demo`: real requests on real servers, and what became of each."""
