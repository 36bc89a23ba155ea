"""The kinds of jobs, a module each; it is loaded when the first job of its kind comes, see ``worker.registry``."""
