"""What runs inside an exporter's environment. No file here imports edgert: it is not installed there."""
