"""What each kind of job does; a module is loaded when the first job of its kind comes, see ``worker.registry``."""
