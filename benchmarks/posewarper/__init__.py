"""PoseWarper, the learned baseline that STDPose is measured against."""
