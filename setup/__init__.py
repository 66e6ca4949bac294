"""Google Cloud and GKE: scripts that bring up and take down, docs/gke.md has their order; and a doctor that checks."""
