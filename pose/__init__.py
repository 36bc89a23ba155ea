"""The vocabulary of Posetween: skeletons, tracks, video frames, metrics and file formats.

Axes, here and everywhere: ``B`` batch, ``T`` frames of a clip, ``N`` tokens, ``K`` keypoints, ``C`` channels,
``H W`` input pixels, ``h w`` heatmap cells, ``F`` frames of a video. Coordinates are in ``xy`` order, in pixels of the
displayed frame, with pixel centres at integers. Visibility is COCO's: 0 not labelled (then x = y = 0), 1 labelled but
hidden, 2 visible.
"""
