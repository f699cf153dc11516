// Half precision, as far as candle's headers name it; no kernel that computes with it is compiled.
#pragma once
#include "cuda_runtime.h"

struct __half { uint16_t bits; };
inline uint16_t __half_as_ushort(__half x) { return x.bits; }
inline __half __ushort_as_half(uint16_t bits) { return {bits}; }
float __half2float(__half x);
__half __float2half(float x);
__half __hmax_nan(__half a, __half b);
__half __hmin_nan(__half a, __half b);
