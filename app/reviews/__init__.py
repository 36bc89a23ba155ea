"""Reviews: what people say of a machine's poses, and which of them to look at next."""
