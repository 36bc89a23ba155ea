"""Networks that find a skeleton's keypoints on a frame from the frames around it: pixels in, poses out.

Four published systems and a single-frame baseline, one file each, behind one contract: see ``estimator``.
"""
