"""Where networks compute: devices, precision, threads and memory."""
