"""What the kernel tells of this process and its neighbours."""
