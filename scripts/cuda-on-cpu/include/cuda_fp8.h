// 8-bit numbers, as far as candle's headers name them; no kernel that computes with them is compiled.
#pragma once
#include "cuda_fp16.h"

struct __nv_fp8_e4m3 {
    uint8_t __x;
    __nv_fp8_e4m3() = default;
    explicit __nv_fp8_e4m3(float x);
};
enum { __NV_E4M3 };
__half __nv_cvt_fp8_to_halfraw(uint8_t x, int kind);
