"""Networks and algorithms that propagate poses through video, and that estimate them."""
