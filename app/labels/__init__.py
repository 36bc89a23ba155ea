"""Human labels: append-only, and read together with what machines made."""
