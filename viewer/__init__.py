"""What people look at: films, plots and the report of a run."""
