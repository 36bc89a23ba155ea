"""Child processes that open files of strangers, and what they cannot do even where a file takes them over."""
