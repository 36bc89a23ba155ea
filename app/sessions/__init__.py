"""Browser sessions: a cookie in place of a key."""
