"""Images and their transforms: Fourier, resizing, masks, rotation, the CTF."""
