"""Where the joints of people are in pictures, by a network that others trained on real ones."""
