"""The service: projects, videos, labels, runs, jobs and exports over REST. Never imports torch."""
