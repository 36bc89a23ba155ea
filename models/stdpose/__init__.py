"""STDPose: the network that fills gaps between labels, and the engine around it."""
