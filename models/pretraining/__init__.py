"""Training STDPose on rendered videos."""
