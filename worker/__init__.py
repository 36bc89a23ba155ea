"""The hands: claim a job, do it, record progress. The only place where ``app`` meets ``models``."""
