"""The command ``posetween``: one module a command group, thin."""
