// candle includes it for the number of the version. Without one it leaves out kernels for 16-bit numbers.
