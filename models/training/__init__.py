"""Training estimators on labels: subjects and their clips, epochs, and checkpoints that go on where they stopped."""
