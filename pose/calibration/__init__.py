"""Calibration of error bars from a lab's own labels: NumPy alone, so that the API can calibrate what it reads."""
