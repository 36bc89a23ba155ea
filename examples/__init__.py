"""How other tools ask Posetween for poses."""
