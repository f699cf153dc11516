// bfloat16: conversions only.
#pragma once
#include "cuda_runtime.h"

struct __nv_bfloat16 {
    uint16_t bits;
    __nv_bfloat16() = default;
    // To the nearest, ties to even.
    __nv_bfloat16(float x) {
        const uint32_t exact = __float_as_uint(x);
        bits = isnan(x) ? 0x7fff : (exact + 0x7fff + (exact >> 16 & 1)) >> 16;
    }
    operator float() const { return __uint_as_float(static_cast<uint32_t>(bits) << 16); }
};
inline float __bfloat162float(__nv_bfloat16 x) { return x; }
