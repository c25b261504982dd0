"""Boots Debian kernels in QEMU and runs commands of this checkout there."""
